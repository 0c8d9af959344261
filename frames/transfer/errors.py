"""What can be wrong with a store, said in one sentence with the mend."""

from __future__ import annotations


class BadStore(Exception):
    """The import cannot go on. The message is for a person: what is wrong and what to do."""


class TakenOver(BadStore):
    """Another process imports the same files into the same workspace; that one goes on."""


class Cancelled(Exception):
    """Somebody asked the transfer to stop; what was written stays and a retry goes on from there."""
