"""FIND: documents made of what workspaces hold, and the search over them."""
