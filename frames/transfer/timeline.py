"""Importing events."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from frames import partitions
from frames.ingest import NewEvent, append_events, event_id
from frames.models import Event
from frames.transfer.draft import EPOCH, Draft
from frames.transfer.rows.events import event_fields, event_row
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source
from frames.transfer.stacks import Place, Stacks
from frames.transfer.values import Row, identity_of, moment, same


@dataclass(slots=True)
class Arrival:
    """One event on its way in."""

    source_id: str
    row: Row
    draft: Draft
    place: Place
    event: NewEvent


class Timeline:
    """Imports the events of a store in batches."""

    def __init__(self, run: Run, source: Source, stacks: Stacks) -> None:
        self.run, self.source, self.stacks = run, source, stacks
        self.repeated = source.repeated_seqs()
        self.twins = source.twins("events", "event_id")
        self.months = partitions.existing()

    def import_events(self) -> None:
        run = self.run
        rows = self.source.rows("events", after=run.position("events"))
        for chunk in chunks(rows, most=2000):
            self._ensure_months(row for _, row in chunk)
            with run.batch("events", chunk[-1][0], len(chunk)):
                self._write(chunk)
                self.stacks.sessions.save()

    def _ensure_months(self, rows: Iterable[Row]) -> None:
        """Before the batch, because making a month locks the whole table for a moment."""
        if not self.run.writes:
            return
        wanted = {partitions.month_of(self._time(row)) for row in rows} - self.months
        if wanted:
            partitions.ensure(wanted)
            self.months |= wanted

    def _time(self, row: Row) -> datetime:
        """When an event was; where it does not say, when its frame began."""
        at = moment(row["ts"])
        if at is None:
            place = self.stacks.places.get(identity_of(row["frame_id"]) or "")
            at = place.started if place else EPOCH
        return at

    def _write(self, chunk: list[tuple[int, Row]]) -> None:
        run = self.run
        run.count("events", "read", len(chunk))
        arrivals: dict[uuid.UUID, Arrival] = {}
        for position, row in chunk:
            draft = Draft(row, run.now)
            source_id = draft.identity("event_id")
            if source_id is None:
                run.count("events", "set_aside")
                run.set_aside("events", f"row {position}", "no_id", row)
            elif position in self.twins:
                first = self.source.row("events", self.twins[position])
                self._again(source_id, row, differences(first, row), "twice")
            else:
                if position in self.repeated:
                    draft.note("duplicate_seq")
                arrival = self._arrival(source_id, row, draft)
                arrivals[arrival.event.id] = arrival
        there = self._there(list(arrivals.values()))
        new = []
        for arrival in arrivals.values():
            if arrival.source_id in there:
                different = differences(there[arrival.source_id], arrival.row)
                self._again(arrival.source_id, arrival.row, different)
            else:
                new.append(arrival)
        if run.writes:
            inserted = append_events(workspace=run.workspace, rows=[a.event for a in new])
            new = self._inserted(new, inserted)
        run.count("events", "imported", len(new))
        for arrival in new:
            if arrival.draft.notes:
                run.note("events", arrival.source_id, arrival.draft)

    def _arrival(self, source_id: str, row: Row, draft: Draft) -> Arrival:
        run = self.run
        at = self._time(row)
        frame_id, place = self._place(row, at, draft)
        session_id, run_id = self._session(row, place, at)
        fields = event_fields(draft, fallback=place.started, frame_id=frame_id, run_id=run_id)
        event = NewEvent(
            id=event_id(run.workspace, source_id, fields["occurred_at"], fields["seq"]),
            project_id=place.project_id,
            frame_id=place.id,
            session_id=session_id,
            **fields,
        )
        return Arrival(source_id, row, draft, place, event)

    def _place(self, row: Row, at: datetime, draft: Draft) -> tuple[str, Place]:
        frame_id = identity_of(row["frame_id"]) or ""
        place = self.stacks.places.get(frame_id)
        if place is None:
            main = self.stacks.projects.main
            place = self.stacks.placeholder(frame_id, project=main, at=at)
        if frame_id not in self.stacks.plan.nodes:
            draft.note("missing_frame")
        return frame_id, place

    def _session(self, row: Row, place: Place, at: datetime) -> tuple[uuid.UUID | None, str | None]:
        """The session of an event and its id in the store; for one without a run, none."""
        run_id = identity_of(row["run_id"])
        sessions = self.stacks.sessions
        session = sessions.known.get((place.project_id, run_id)) if run_id else None
        if session is None or at > session.last_seen_at or at < session.started_at:
            session = sessions.of(self.stacks.project(place.project_id), run_id, at, at)
        return (session.id if session else None), run_id

    def _there(self, arrivals: list[Arrival]) -> dict[str, Row]:
        """Of these events, the ones imported before, as rows of the source, by source id.

        Looked up by id; and where time or number changed since, which are part of the id, among
        the events of their frame. Frames that this run made cannot have any.
        """
        old = [a for a in arrivals if not a.place.new]
        if not old:
            return {}
        events = Event.objects.in_workspace(self.run.workspace).select_related("frame", "session")
        found = {e.source_id: e for e in events.filter(pk__in=[a.event.id for a in old])}
        rest = [a for a in old if a.source_id not in found]
        if rest:
            moved = events.filter(
                frame__in={a.place.id for a in rest}, source_id__in=[a.source_id for a in rest]
            )
            found |= {event.source_id: event for event in moved}
        return {source_id: event_row(event) for source_id, event in found.items()}

    def _again(
        self, source_id: str, row: Row, different: list[str], reason: str = "other_content"
    ) -> None:
        """An event that is there already; one that differs is a conflict."""
        self.run.count("events", "conflict" if different else "existing")
        if different:
            self.run.conflict("events", source_id, reason, row)

    def _inserted(self, new: list[Arrival], inserted: set[uuid.UUID]) -> list[Arrival]:
        """Those really inserted. Another id may have been there: two ids of one hash, or a rival."""
        missed = [a for a in new if a.event.id not in inserted]
        if not missed:
            return new
        events = Event.objects.in_workspace(self.run.workspace).select_related("frame", "session")
        found = {e.id: e for e in events.filter(pk__in=[a.event.id for a in missed])}
        for arrival in missed:
            ours = event_row(found[arrival.event.id])
            self._again(arrival.source_id, arrival.row, differences(ours, arrival.row))
        return [a for a in new if a.event.id in inserted]


def differences(ours: Row, theirs: Row) -> list[str]:
    """The columns of the source's row that ours does not say the same of."""
    return [c for c, value in theirs.items() if c not in ours or not same(ours[c], value)]
