"""Large payloads: into the object store before the row that speaks of them, and a preview into the row.

A payload is large when its text takes more than LARGE_PAYLOAD_BYTES. What is stored is the text that
the row would have had, so without secrets. The object comes first and the row after it, in the
transaction of the row: killed in between, an object is left that nothing names, which is swept
(frames/sweeping.py); a row without its object cannot be.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.utils import timezone

from frames.models import PayloadUse, StoredPayload
from frames.models.event import PAYLOADS
from frames.payload import BROKEN, closed
from stackmemory.lib import blobs
from stackmemory.lib.locks import shared_transaction_lock
from stackmemory.lib.tenancy import workspace_scope
from workspaces.models import Workspace

# The most characters of a preview, which is what a page of a timeline reads of any payload.
PREVIEW = 16_000
# So long may texts in it be at first; cut to less and less until all of it fits.
LENGTHS = (14_000, 4_000, 1_000, 200, 40)
ITEMS = (1_000, 400, 100, 25, 10)
DEPTH = 12
AT_ONCE = 500
COMPACT = (",", ":")


class Stored(NamedTuple):
    """What stands in the row of an event whose payload is in the object store."""

    preview: str
    digest: str
    octets: int
    payload_id: uuid.UUID


def is_any(texts: Iterable[str]) -> bool:
    """Whether one of them is large."""
    limit = settings.LARGE_PAYLOAD_BYTES
    few = limit // 4
    return any(len(text) > few and len(text.encode()) > limit for text in texts)


def put_down(workspace_id: uuid.UUID, texts: Iterable[str]) -> dict[int, Stored]:
    """Store the large ones of `texts`: their place in it → what their row gets.

    Within the transaction that writes the rows: what was put down cannot be swept until it ends.
    `note_uses()` is to follow for the rows that were really written.
    """
    wanted: dict[str, str] = {}
    digests: dict[int, str] = {}
    limit = settings.LARGE_PAYLOAD_BYTES
    few = limit // 4  # of so few characters none takes more
    for number, text in enumerate(texts):
        if len(text) > few and len(text.encode()) > limit:
            digest = digests[number] = blobs.digest_of(text)
            wanted[digest] = text
    if not wanted:
        return {}
    shared_transaction_lock(lock_of(workspace_id))
    ids = _locked(workspace_id, wanted)
    told = {}
    for digest, text in wanted.items():
        packed = blobs.put(PAYLOADS, workspace_id, digest, text)
        if packed is not None:
            StoredPayload.unscoped.filter(pk=ids[digest]).update(packed=packed)
        told[digest] = Stored(preview(text), digest, len(text.encode()), ids[digest])
    return {number: told[digest] for number, digest in digests.items()}


def lock_of(workspace_id: uuid.UUID) -> str:
    """Held by whoever puts down; by who deletes what a workspace has that is not there, alone."""
    return f"large payloads of {workspace_id}"


def note_uses(
    workspace_id: uuid.UUID, uses: Iterable[tuple[uuid.UUID, uuid.UUID, uuid.UUID]]
) -> None:
    """That events, as (id, frame, payload), have what was put down."""
    rows = [
        PayloadUse(
            workspace_id=workspace_id, event_id=event, frame_id=frame, payload_id=payload
        )
        for event, frame, payload in uses
    ]  # fmt: skip
    PayloadUse.unscoped.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["workspace", "event_id"],
        update_fields=["frame", "payload"],
    )


def _locked(workspace_id: uuid.UUID, wanted: Mapping[str, str]) -> dict[str, uuid.UUID]:
    """The row of each digest, made where there is none, and its lock until the transaction ends."""
    now = timezone.now()
    rows = [
        StoredPayload(
            workspace_id=workspace_id, digest=digest, octets=len(text.encode()), seen_at=now
        )
        for digest, text in sorted(wanted.items())  # so that two writers lock in one order
    ]
    StoredPayload.unscoped.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["workspace", "digest"],
        update_fields=["seen_at"],
    )
    there = StoredPayload.unscoped.filter(workspace=workspace_id, digest__in=list(wanted))
    return dict(there.values_list("digest", "pk"))


def preview(text: str) -> str:
    """The text as JSON of at most PREVIEW characters: every key that has room, long values cut.

    What is no JSON is cut off.
    """
    try:
        value = json.loads(text)
        for length, items in zip(LENGTHS, ITEMS, strict=True):
            short = json.dumps(_cut(value, length, items), ensure_ascii=False, separators=COMPACT)
            if len(short) <= PREVIEW:
                return short.encode("utf-8", "replace").decode()
        beginning = closed(text[:PREVIEW])
        json.loads(beginning)
    except BROKEN:
        return text[:PREVIEW]
    return beginning


def _cut(value: Any, length: int, items: int, depth: int = DEPTH) -> Any:
    if isinstance(value, str):
        return value if len(value) <= length else value[:length] + "…"
    if isinstance(value, dict):
        kept = list(value.items())[:items] if depth else []
        return {key[:length]: _cut(each, length, items, depth - 1) for key, each in kept}
    if isinstance(value, list):
        return [_cut(each, length, items, depth - 1) for each in value[:items]] if depth else []
    return value


def faults(workspace: Workspace) -> Iterator[dict[str, Any] | None]:
    """For each payload that events use, None, or what is wrong with its object and whose it is."""
    after: uuid.UUID | None = None
    while True:
        with workspace_scope(workspace.id):
            rows = StoredPayload.objects.in_workspace(workspace).filter(uses__isnull=False)
            rows = rows.filter(pk__gt=after) if after else rows
            found = list(rows.distinct().order_by("pk")[:AT_ONCE])
        for row in found:
            try:
                blobs.get(PAYLOADS, workspace.pk, row.digest, row.octets)
            except blobs.Lost as lost:
                with workspace_scope(workspace.id):
                    events = [str(pk) for pk in row.uses.values_list("event_id", flat=True)[:20]]
                yield {"digest": row.digest, "problem": lost.message, "events": events}
            else:
                yield None
        if len(found) < AT_ONCE:
            return
        after = found[-1].pk
