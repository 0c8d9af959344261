"""The MCP server: each tool reads what a model gave it and makes one call downwards.

The protocol is django-mcpz's (docs/decisions/0005-mcp-library.md); docs/mcp.md is for users.
"""
