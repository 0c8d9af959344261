"""Erasing from all there is of it: rows, search, contexts, files that wait, the object store."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from frames.erasing.doomed import Doomed, Preview, doomed_by_frame, doomed_by_session, preview
from frames.erasing.going import erase, erase_events, lay
from frames.models import AgentSession, Frame
from frames.transfer.reading import parts
from search import erasing as searching
from stackmemory.lib.queue import enqueue
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces import audit, idempotency
from workspaces.actor import Actor
from workspaces.models import Workspace

# Up to so many events are erased at once; of more a worker does it.
AT_ONCE = 20_000
# Frames that one job takes out of the object store.
SWEPT = 500
WORD = "erase"  # what is typed to say that one means it


@dataclass(frozen=True)
class Told:
    """What would go, or went. `quoting` counts contexts that quote something of it, if it is known."""

    goes: Preview
    quoting: int | None
    by_worker: bool = False


def find(actor: Actor, thing: Frame | AgentSession) -> Doomed:
    """What goes with it, if it is the actor's to erase. Raises Refusal."""
    if isinstance(thing, Frame):
        return doomed_by_frame(actor, thing)
    return doomed_by_session(actor, thing)


def told(doomed: Doomed) -> Told:
    return Told(preview(doomed), searching.quoting(doomed))


def erase_thing(actor: Actor, thing: Frame | AgentSession, request: HttpRequest) -> Told:
    """Erase a frame or a run, for good, and say in the audit log that it was. Raises Refusal."""
    doomed = find(actor, thing)
    goes = preview(doomed)
    by_worker = goes.events > AT_ONCE or searching.is_long(doomed)
    quoting: int | None
    if by_worker:
        lay(doomed)
        kind = "frame" if isinstance(thing, Frame) else "session"
        whose = actor.user.pk if actor.user else ""
        team = "team" if "erase" in actor.permissions else ""
        enqueue("stackmemory.erasing.jobs.erase", actor.workspace.pk, kind, thing.pk, whose, team)
        quoting = None
    else:
        quoting = take(doomed)
    what = "session" if doomed.session else "frame"
    audit.record(
        workspace=actor.workspace, action=f"{what}.erased", actor=actor.user, key=actor.key,
        target=f"a {what}", request=request,
        after={"frames": goes.frames, "events": goes.events, "anchors": goes.anchors},
    )  # fmt: skip
    return Told(goes, quoting, by_worker)


def take(doomed: Doomed) -> int:
    """In the caller's transaction: all of it; how many contexts quoted something."""
    quoting = searching.forget(doomed)
    erase(doomed)
    idempotency.forget_answers(doomed.workspace, [str(pk) for pk in doomed.frames])
    session = doomed.session.pk if doomed.session else ""
    # What lies in the object store goes once this is committed.
    for ids in list(parts(list(doomed.frames), SWEPT)) or [[]]:
        enqueue("stackmemory.erasing.jobs.sweep", doomed.workspace.pk, session, *ids)
    return quoting


def take_in_steps(workspace: Workspace, doomed: Doomed) -> None:
    """For a worker: killed at any moment, it is simply run again."""
    with workspace_scope(workspace.pk):
        lay(doomed)
    searching.forget(doomed)
    erase_events(doomed)
    with system_scope():
        take(doomed)
