"""Importing events."""

from __future__ import annotations

import gc
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from frames import partitions
from frames.cold import reading
from frames.ingest import NewEvent, append_events, event_id
from frames.models import Event
from frames.transfer.draft import EPOCH, Draft
from frames.transfer.rows.events import (
    event_fields,
    event_row,
    give_origin,
    moved_cold,
    with_origin,
)
from frames.transfer.run import Run, chunks
from frames.transfer.source import Source
from frames.transfer.stacks import Place, Stacks
from frames.transfer.values import Row, identity_of, moment, same
from stackmemory.lib.ahead import ahead

BATCH = 5000


@dataclass(slots=True)
class Parcel:
    """An event as the source has it, with all that can be told from its row alone.

    `fields` is None where its frame has to say when it was; `first` is the earlier row with the
    same id, where there is one.
    """

    position: int
    row: Row
    draft: Draft
    source_id: str | None
    frame_id: str
    run_id: str | None
    at: datetime | None
    fields: dict[str, Any] | None = None
    first: Row | None = None


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
        # The next batch is read and parsed while the database is busy with the last one.
        batches = ahead(self._prepared(chunk) for chunk in chunks(rows, most=BATCH))
        with closing(batches), few_collections():
            for parcels in batches:
                self._ensure_months(parcels)
                with run.batch("events", parcels[-1].position, len(parcels)):
                    self._write(parcels)
                    self.stacks.sessions.save()

    def _prepared(self, chunk: list[tuple[int, Row]]) -> list[Parcel]:
        """In another thread: nothing of ours may be asked here, only the source."""
        return [self._parcel(position, row) for position, row in chunk]

    def _parcel(self, position: int, row: Row) -> Parcel:
        draft = Draft(row, self.run.now)
        frame_id, run_id = identity_of(row["frame_id"]) or "", identity_of(row["run_id"])
        at, source_id = moment(row["ts"]), draft.identity("event_id")
        parcel = Parcel(position, row, draft, source_id, frame_id, run_id, at)
        if position in self.twins:
            parcel.first = self.source.row("events", self.twins[position])
        elif source_id is not None:
            if position in self.repeated:
                draft.note("duplicate_seq")
            if at is not None:
                parcel.fields = event_fields(draft, fallback=at, frame_id=frame_id, run_id=run_id)
        return parcel

    def _ensure_months(self, parcels: list[Parcel]) -> None:
        """Before the batch, because making a month locks the whole table for a moment."""
        if not self.run.writes:
            return
        wanted = partitions.months_of([self._time(parcel) for parcel in parcels]) - self.months
        if wanted:
            partitions.ensure(wanted)
            self.months |= wanted

    def _time(self, parcel: Parcel) -> datetime:
        """When an event was; where it does not say, when its frame began."""
        if parcel.at is not None:
            return parcel.at
        place = self.stacks.places.get(parcel.frame_id)
        return place.started if place else EPOCH

    def _write(self, parcels: list[Parcel]) -> None:
        run = self.run
        run.count("events", "read", len(parcels))
        gone = self.stacks.gone
        arrivals: dict[uuid.UUID, Arrival] = {}
        for parcel in parcels:
            place = self.stacks.places.get(parcel.frame_id)
            if gone.has_frame(parcel.frame_id) or (
                place is not None and gone.has_run(place.project_id, parcel.run_id)
            ):
                run.count("events", "erased")
            elif parcel.source_id is None:
                run.count("events", "set_aside")
                run.set_aside("events", f"row {parcel.position}", "no_id", parcel.row)
            elif parcel.first is not None:
                different = differences(parcel.first, parcel.row)
                self._again(parcel.source_id, parcel.row, different, "twice")
            else:
                arrival = self._arrival(parcel, parcel.source_id)
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
            if len(inserted) < len(new):
                new = self._inserted(new, inserted)
        run.count("events", "imported", len(new))
        for arrival in new:
            if arrival.draft.notes:
                run.note("events", arrival.source_id, arrival.draft)

    def _arrival(self, parcel: Parcel, source_id: str) -> Arrival:
        at = self._time(parcel)
        place = self._place(parcel, at)
        fields = parcel.fields or event_fields(
            parcel.draft, fallback=at, frame_id=parcel.frame_id, run_id=parcel.run_id
        )
        event = NewEvent(
            id=event_id(self.run.workspace, source_id, fields["occurred_at"], fields["seq"]),
            project_id=place.project_id,
            frame_id=place.id,
            session_id=self._session_id(parcel.run_id, place, at),
            **fields,
        )
        return Arrival(source_id, parcel.row, parcel.draft, place, event)

    def _place(self, parcel: Parcel, at: datetime) -> Place:
        frame_id = parcel.frame_id
        place = self.stacks.places.get(frame_id)
        if place is None:
            main = self.stacks.projects.main
            place = self.stacks.placeholder(frame_id, project=main, at=at)
        if frame_id not in self.stacks.plan.nodes:
            parcel.draft.note("missing_frame")
        return place

    def _session_id(self, run_id: str | None, place: Place, at: datetime) -> uuid.UUID | None:
        """The session of an event; none for one without a run."""
        if run_id is None:
            return None
        sessions = self.stacks.sessions
        session = sessions.known.get((place.project_id, run_id))
        if session is None or at > session.last_seen_at or at < session.started_at:
            session = sessions.of(self.stacks.project(place.project_id), run_id, at, at)
        return session.id if session else None

    def _there(self, arrivals: list[Arrival]) -> dict[str, Row]:
        """Of these events, the ones imported before, as rows of the source, by source id.

        Looked up by id; and where time or number changed since, which are part of the id, among
        the events of their frame. Frames that this run made cannot have any.
        """
        old = [a for a in arrivals if not a.place.new]
        if not old:
            return {}
        events = with_origin(Event.objects.in_workspace(self.run.workspace))
        found = {e.source_id: e for e in events.filter(pk__in=[a.event.id for a in old])}
        found |= self._cold(a.event.id for a in old if a.source_id not in found)
        rest = [a for a in old if a.source_id not in found]
        if rest:
            in_frames = {a.place.id for a in rest}
            moved = events.filter(frame__in=in_frames, source_id__in=[a.source_id for a in rest])
            found |= {event.source_id: event for event in moved}
            left = {a.source_id for a in rest} - found.keys()
            found |= moved_cold(self.run.workspace.pk, {"pk__in": in_frames}, left)
        return {source_id: event_row(event) for source_id, event in found.items()}

    def _cold(self, ids: Iterable[uuid.UUID]) -> dict[str, Event]:
        """Those of these events that are in cold storage, by source id."""
        found = reading.find(self.run.workspace.pk, ids)
        return {event.source_id or "": event for event in give_origin([*found.values()])}

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
        events = with_origin(Event.objects.in_workspace(self.run.workspace))
        found = {e.id: e for e in events.filter(pk__in=[a.event.id for a in missed])}
        lacking = {a.event.id for a in missed} - found.keys()
        found |= {event.id: event for event in self._cold(lacking).values()}
        for arrival in missed:
            ours = event_row(found[arrival.event.id])
            self._again(arrival.source_id, arrival.row, differences(ours, arrival.row))
        return [a for a in new if a.event.id in inserted]


@contextmanager
def few_collections() -> Iterator[None]:
    """Tens of thousands of live objects and no cycles: looking for some took a fifth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def differences(ours: Row, theirs: Row) -> list[str]:
    """The columns of the source's row that ours does not say the same of."""
    return [c for c, value in theirs.items() if c not in ours or not same(ours[c], value)]
