from __future__ import annotations


class BadBackup(Exception):
    """A backup cannot be taken, read or put back; the message says why and what mends it."""
