"""Why an archive is not written or not taken, in one sentence for a person."""

from __future__ import annotations


class BadArchive(Exception):
    """Nothing was changed. The message says what is wrong and what would mend it."""
