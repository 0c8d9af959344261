"""Objects of cold events in the object store: put down, read whole and checked, deleted."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from functools import partial
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import storages

from frames.cold.container import Broken, Container, Row
from frames.cold.errors import ColdLost
from frames.models import ArchivedPeriod
from stackmemory.lib import blobs
from stackmemory.lib.blobs import STORAGE
from stackmemory.lib.tenancy import system_scope
from workspaces.models import Workspace

PREFIX = "cold"
# So much of what was read last is kept at hand by a process.
AT_HAND = 64 << 20

_kept: OrderedDict[tuple[str, str], Container] = OrderedDict()
_lock = threading.Lock()


def name_for(period: ArchivedPeriod) -> str:
    """Of a new object: no two are ever put down under one name."""
    return (
        f"{PREFIX}/{period.workspace_id}/{period.project_id}/"
        f"{period.month:%Y-%m}/{period.part:03}-{uuid.uuid4().hex[:12]}.zip"
    )


def put(name: str, content: IO[bytes]) -> None:
    saved = storages[STORAGE].save(name, File(content))
    if saved != name:
        storages[STORAGE].delete(saved)
        raise RuntimeError(f"{name} is there already")


def load(period: ArchivedPeriod) -> Container:
    """The object of a period, whole and as it was written, or ColdLost."""
    key = (period.object, period.sha256)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    container = read(period)
    with _lock:
        _kept[key] = container
        while len(_kept) > 1 and sum(each.size for each in _kept.values()) > AT_HAND:
            _kept.popitem(last=False)
    return container


def read(period: ArchivedPeriod) -> Container:
    """load(), from the object store itself."""
    data = blobs.read(period.object, partial(lost, period))
    if hashlib.sha256(data).hexdigest() != period.sha256:
        raise lost(period, "is damaged: its SHA-256 is not the one that was noted")
    try:
        container = Container(data)
    except Broken as problem:
        raise lost(period, f"is damaged: {problem}") from problem
    if container.events != period.events:
        raise lost(period, f"holds {container.events} events instead of {period.events}")
    return container


def rows(period: ArchivedPeriod, container: Container) -> Iterator[Row]:
    """All events of an object, in order. Raises ColdLost."""
    for number in range(len(container.starts) - 1):
        yield from block(period, container, number)


def block(period: ArchivedPeriod, container: Container, number: int) -> list[Row]:
    """A block of an object. Raises ColdLost."""
    try:
        return container.block(number)
    except Broken as problem:
        raise lost(period, f"is damaged: {problem}") from problem


def found(period: ArchivedPeriod, container: Container, event: uuid.UUID) -> Row | None:
    """One event of an object, if it is in there. Raises ColdLost."""
    try:
        return container.find(event)
    except Broken as problem:
        raise lost(period, f"is damaged: {problem}") from problem


def faults(workspace: Workspace) -> Iterator[dict[str, Any] | None]:
    """For each object that counts, None, or what is wrong with it and how many events are in it."""
    with system_scope():
        rows = ArchivedPeriod.unscoped.filter(workspace=workspace, state__in=ArchivedPeriod.HOLDING)
        periods = list(rows.order_by("project", "month", "part"))
    for period in periods:
        try:
            read(period)
        except ColdLost as problem:
            with system_scope():
                held = ArchivedPeriod.unscoped.filter(pk=period.pk, object=period.object)
                if not held.filter(state__in=ArchivedPeriod.HOLDING).exists():
                    continue  # erased from, or brought back meanwhile
            yield {"object": period.object, "problem": problem.message, "events": period.events}
        else:
            yield None


def delete(name: str) -> None:
    """Delete it, if it is there."""
    if name:
        storages[STORAGE].delete(name)


def lost(period: Any, problem: str) -> ColdLost:
    return ColdLost(period.object, f"{period.month:%B %Y}", problem)
