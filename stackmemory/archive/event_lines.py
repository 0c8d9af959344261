"""The lines of a workspace's events, made by the database where it can: most of an archive is these."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from frames.models import Event
from stackmemory.lib import json_lines

AT_ONCE = 2_500
PLACE = ("frame_id", "occurred_at", "seq", "id")
Place = tuple[UUID, datetime, int, UUID]


class EventLines:
    """Blocks of lines in the order of frame, time, number and id, one statement each.

    What has to be made in Python (a large payload, an odd number) comes as its id, for `whole`.
    """

    NEEDED: ClassVar = frozenset(("frame", "occurred_at", "seq", "id"))

    def __init__(
        self, workspace_id: UUID, fields: Sequence[str], whole: Callable[[UUID], bytes]
    ) -> None:
        self.workspace_id, self.whole = workspace_id, whole
        columns: list[tuple[str, Any]] = [(n, Event._meta.get_field(n)) for n in sorted(fields)]
        self.select = (
            "SELECT CASE WHEN r.own THEN r.id::text ELSE (SELECT row_to_json(l)::text FROM"
            f" (SELECT {json_lines.object_of(columns)}) l) END FROM (SELECT *,"
            f" stored_digest IS NOT NULL OR {json_lines.odd(columns)} AS own FROM frames_event"
            " WHERE workspace_id = %s AND frame_id = ANY(%s){after}"
            f" ORDER BY {', '.join(PLACE)} LIMIT {AT_ONCE}) r"
            f" ORDER BY {', '.join(PLACE)}"
        )

    def of(self, frames: Sequence[UUID]) -> Iterator[tuple[int, bytes]]:
        """(rows, their lines) of the events of these frames."""
        after = ""
        place: tuple[Any, ...] = ()
        while True:
            found = json_lines.lines(
                self.select.replace("{after}", after), [self.workspace_id, list(frames), *place]
            )
            for number, line in enumerate(found):
                if line[:1] != b"{":
                    found[number] = self.whole(UUID(line.decode().strip()))
            if found:
                yield len(found), b"".join(found)
            if len(found) < AT_ONCE:
                return
            after = f" AND ({', '.join(PLACE)}) > (%s, %s, %s, %s)"
            place = _place(found[-1])


def _place(line: bytes) -> Place:
    row = json.loads(line)
    at = datetime.fromisoformat(row["occurred_at"])
    return UUID(row["frame"]), at, row["seq"], UUID(row["id"])
