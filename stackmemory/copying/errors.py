"""Why an installation is not copied, in one sentence for a person."""

from __future__ import annotations


class CannotCopy(Exception):
    """The message says what is wrong and what would mend it."""
