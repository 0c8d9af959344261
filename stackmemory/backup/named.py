"""Objects that rows name: a database without them is not whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any

from frames.cold.store import PREFIX as COLD
from frames.models.event import PAYLOADS
from stackmemory.lib.blobs import name_of

# name in the storage of objects → its SHA-256, or "" where the name is not of the bytes
Named = dict[str, str]
Ask = Callable[[str], Iterable[Any]]

PERIODS = (
    "SELECT object, sha256 FROM frames_archivedperiod"
    " WHERE state IN ('written', 'cold') AND object <> ''"
)
USED = (
    "SELECT CAST(p.workspace_id AS text), p.digest FROM frames_storedpayload p"
    " WHERE EXISTS (SELECT 1 FROM frames_payloaduse u WHERE u.payload_id = p.id)"
)


def named(ask: Ask, tables: Collection[str]) -> Named:
    """Of a database that has these tables; an older one may lack those that name objects."""
    found: Named = {}
    if "frames_archivedperiod" in tables:
        found |= {_text(name): _text(sha256) for name, sha256 in ask(PERIODS)}
    if "frames_storedpayload" in tables:
        for workspace, digest in ask(USED):
            found[name_of(PAYLOADS, uuid.UUID(_text(workspace)), _text(digest))] = ""
    return found


def is_of_rows(name: str) -> bool:
    """Whether an object is of the kinds that rows name."""
    return name.startswith((f"{COLD}/", f"{PAYLOADS}/"))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
