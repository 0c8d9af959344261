"""The whole installation in one file, kept elsewhere, tried, and put back (docs/backup.md)."""
