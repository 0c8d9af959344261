"""The call stack's verbs: start, close, reopen and promote frames."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from frames.digest import digest_text, make_digest
from frames.incoming import json_in, plain, source_id_in, text_in, texts_in
from frames.ingest import count_activity
from frames.models import AgentSession, Frame, Project, Revision
from frames.reach import frames_of
from frames.scoring import Weights, frame_score
from frames.signals import changed
from frames.summarising import ask_for_summaries
from frames.telling import tell_frames
from frames.tombstones import WasErased, run_name, was_erased
from stackmemory.lib.refusal import Conflict, Forbidden, Refusal
from stackmemory.lib.uuid7 import uuid7
from workspaces import news
from workspaces.actor import Actor

DEEPEST = 200


def open_session(
    *,
    actor: Actor,
    project: Project,
    source_id: str | None = None,
    client: str = "",
    branch: str = "",
    host: str = "",
    at: datetime | None = None,
) -> tuple[AgentSession, bool]:
    """The session with the client's id, made if it is new; (session, whether it was made)."""
    now = at or timezone.now()
    fields: dict[str, Any] = {
        "client": plain(client)[:100],
        "branch": plain(branch)[:255],
        "host": plain(host)[:255],
    }
    source_id = source_id_in(source_id)
    if source_id is None:
        session = AgentSession(
            workspace=actor.workspace, project=project, user=actor.user, started_at=now,
            last_seen_at=now, **fields,
        )  # fmt: skip
        session.save(force_insert=True)
        news.tell(actor.workspace.pk, "session", "began", [session.pk], project=project.pk)
        return session, True
    session = (
        AgentSession.objects.in_workspace(actor.workspace)
        .filter(project=project, source_id=source_id)
        .first()
    )
    made = False
    if session is None:
        if was_erased(actor.workspace, "session", run_name(project.pk, source_id)):
            raise WasErased("session", field="source_id")
        session, made = AgentSession.unscoped.get_or_create(
            workspace=actor.workspace,
            project=project,
            source_id=source_id,
            defaults={"user": actor.user, "started_at": now, "last_seen_at": now, **fields},
        )
    if not made:
        known = {name: value for name, value in fields.items() if value}
        known |= {"last_seen_at": max(now, session.last_seen_at), "ended_at": None}
        AgentSession.unscoped.filter(pk=session.pk).update(**known)
        for name, value in known.items():
            setattr(session, name, value)
    else:
        news.tell(actor.workspace.pk, "session", "began", [session.pk], project=project.pk)
    return session, made


def end_session(session: AgentSession, *, at: datetime | None = None) -> None:
    """Note that a run is over. Its open frames stay open: another run may resume them."""
    now = at or timezone.now()
    session.ended_at = session.last_seen_at = max(now, session.last_seen_at)
    session.save(update_fields=["ended_at", "last_seen_at"])
    news.tell(session.workspace_id, "session", "ended", [session.pk], project=session.project_id)


def active_stack(actor: Actor, session: AgentSession) -> list[Frame]:
    """The open frames of a session from the root to the one being worked in."""
    frames = frames_of(actor).filter(session=session).active().select_related("project", "owner")
    top = frames.order_by("-depth", "-started_at", "-id").first()
    return path_to(actor, top) if top else []


def path_to(actor: Actor, frame: Frame) -> list[Frame]:
    """The frames from the root, or the highest the actor may see, to this one: two queries."""
    above = frames_of(actor).filter(root_id=frame.root_id, depth__lt=frame.depth)
    parents = dict(above.values_list("pk", "parent_id"))
    ids: list[UUID] = []
    parent_id = frame.parent_id
    while parent_id is not None and parent_id in parents and parent_id not in ids:
        ids.append(parent_id)
        parent_id = parents[parent_id]
    found = frames_of(actor).select_related("project", "owner").in_bulk(ids) if ids else {}
    return [*(found[each] for each in reversed(ids) if each in found), frame]


def start_frame(
    *,
    actor: Actor,
    project: Project,
    name: str,
    type: str = "task",
    session: AgentSession | None = None,
    parent: Frame | None = None,
    inputs: dict[str, Any] | None = None,
    constraints: Sequence[str] = (),
    visibility: str = Frame.Visibility.TEAM,
    source_id: str | None = None,
    started_at: datetime | None = None,
) -> tuple[Frame, bool]:
    """Put a frame on the stack; (frame, whether it was made).

    Without `parent` it goes on top of the session's stack. A `source_id` that is known gives the
    frame it became, so a retry is harmless. Raises Refusal.
    """
    actor.require("write")
    source_id = source_id_in(source_id)
    if source_id is not None:
        known = frames_of(actor).filter(source_id=source_id).first()
        if known is not None:
            return known, False
        if was_erased(actor.workspace, "frame", source_id):
            raise WasErased("frame", field="source_id")
    if not name.strip():
        raise Refusal("invalid", "A frame needs a name.", field="name")
    if not type.strip():
        raise Refusal("invalid", "A frame needs a type.", field="type")
    if visibility == Frame.Visibility.PRIVATE and actor.user is None:
        raise Refusal(
            "invalid", "This key belongs to nobody, so its frames cannot be private.",
            field="visibility",
        )  # fmt: skip
    if session is not None and session.project_id != project.id:
        raise Refusal("invalid", "The session is of another project.", field="session")
    if parent is None and session is not None:
        stack = active_stack(actor, session)
        parent = stack[-1] if stack else None
    if parent is not None and parent.project_id != project.id:
        raise Refusal("invalid", "The parent frame is of another project.", field="parent")
    if parent is not None and parent.depth + 1 >= DEEPEST:
        raise Refusal("invalid", f"A stack is at most {DEEPEST} frames deep.", field="parent")
    given = json_in(actor.workspace, dict(inputs or {}))
    if constraints:
        given["constraints"] = texts_in(actor.workspace, constraints)
    frame_id = uuid7()
    frame = Frame(
        id=frame_id,
        root_id=parent.root_id if parent else frame_id,
        depth=parent.depth + 1 if parent else 0,
        workspace=actor.workspace,
        project=project,
        session=session,
        parent=parent,
        name=text_in(actor.workspace, name.strip()),
        type=plain(type.strip()),
        inputs=given,
        owner=actor.user,
        # What hangs below a private frame is private too.
        visibility=parent.visibility if parent and parent.visibility == "private" else visibility,
        source_id=source_id,
        started_at=started_at or timezone.now(),
    )
    try:
        with transaction.atomic():
            frame.save(force_insert=True)
    except IntegrityError:
        known = frames_of(actor).filter(source_id=source_id).first()
        if known is None:
            raise Conflict(
                "source_id_taken", "This source_id is taken by a frame you may not see.",
                field="source_id",
            ) from None  # fmt: skip
        return known, False  # a rival request made it first
    if parent is not None:
        Frame.unscoped.filter(pk=parent.pk).update(child_count=F("child_count") + 1)
    count_activity(actor.workspace, frames=[(project.id, frame.started_at)])
    changed(actor.workspace, "frame", [frame.pk])
    tell_frames(actor.workspace, "opened", [frame])
    return frame, True


def close_frame(
    *,
    actor: Actor,
    frame: Frame,
    result: str | None = None,
    outputs: dict[str, Any] | None = None,
    closed_at: datetime | None = None,
) -> list[Frame]:
    """Close a frame and what is still open below it, deepest first; return those closed.

    Each gets its digest. Closing a closed frame changes nothing and returns an empty list.
    """
    check_may_change(actor, frame)
    if not frame.is_open:
        return []
    now = closed_at or timezone.now()
    tree = Frame.objects.in_workspace(actor.workspace).filter(root_id=frame.root_id)
    parents = dict(tree.values_list("pk", "parent_id"))
    open_ones = tree.active().exclude(pk=frame.pk).select_for_update()
    closing = [child for child in open_ones if _is_below(child.pk, frame.pk, parents)]
    closing.sort(key=lambda child: -child.depth)
    weights = Weights.of(frame.project)
    for child in closing:
        _close(child, now, weights)
    if result is not None or outputs is not None:
        frame.outputs = {**(frame.outputs or {}), **json_in(actor.workspace, outputs or {})}
        if result is not None:
            frame.outputs["result"] = text_in(actor.workspace, result)
    _close(frame, now, weights)
    changed(actor.workspace, "frame", [each.pk for each in (*closing, frame)])
    tell_frames(actor.workspace, "closed", [*closing, frame])
    ask_for_summaries(actor.workspace, [*closing, frame])
    return [*closing, frame]


def reopen_frame(*, actor: Actor, frame: Frame) -> bool:
    """Put a closed frame back to work; what it returned stays in its history. False if it is open."""
    check_may_change(actor, frame)
    if frame.is_open:
        return False
    keep_revision(actor, frame, ("state", "closed_at", "digest", "digest_text"))
    frame.state, frame.closed_at, frame.digest, frame.digest_text = Frame.ACTIVE, None, {}, ""
    frame.save(update_fields=["state", "closed_at", "digest", "digest_text"])
    changed(actor.workspace, "frame", [frame.pk])
    tell_frames(actor.workspace, "reopened", [frame])
    return True


def promote_frame(*, actor: Actor, frame: Frame) -> int:
    """Show a private frame, and the private ones below it, to the team; how many were promoted."""
    actor.require("write")
    if frame.owner_id is None or actor.user is None or frame.owner_id != actor.user.pk:
        raise Forbidden("forbidden", "Only its owner can show a private frame to the team.")
    tree = Frame.objects.in_workspace(actor.workspace).filter(root_id=frame.root_id)
    parents = dict(tree.values_list("pk", "parent_id"))
    promoted = [
        each
        for each in tree.filter(visibility=Frame.Visibility.PRIVATE, owner=actor.user)
        if each.pk == frame.pk or _is_below(each.pk, frame.pk, parents)
    ]
    for each in promoted:
        keep_revision(actor, each, ("visibility",))
    ids = [each.pk for each in promoted]
    Frame.unscoped.filter(pk__in=ids).update(visibility=Frame.Visibility.TEAM)
    frame.visibility = Frame.Visibility.TEAM
    changed(actor.workspace, "frame", ids, at_once=True)
    for each in promoted:
        each.visibility = Frame.Visibility.TEAM
    tell_frames(actor.workspace, "promoted", promoted)
    return len(promoted)


def check_may_change(actor: Actor, frame: Frame) -> None:
    """A private frame is its owner's; a team frame anybody's who may write."""
    actor.require("write")
    private = frame.visibility == Frame.Visibility.PRIVATE
    if private and (actor.user is None or frame.owner_id != actor.user.pk):
        raise Forbidden("forbidden", "This frame is somebody else’s private one.")


def keep_revision(actor: Actor, row: Any, fields: Sequence[str]) -> None:
    """Keep what `fields` of a row say before they change."""
    old = {name: getattr(row, name) for name in fields}
    Revision.unscoped.create(
        workspace=actor.workspace,
        kind=row._meta.model_name,
        object_id=row.pk,
        cause=Revision.Cause.AGENT if actor.key else Revision.Cause.PERSON,
        actor=actor.user,
        data={name: _plain(value) for name, value in old.items()},
    )


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _close(frame: Frame, now: datetime, weights: Weights) -> None:
    frame.state, frame.closed_at = Frame.CLOSED, max(now, frame.started_at)
    frame.digest = make_digest(frame)
    frame.digest_text = digest_text(frame, frame.digest)
    frame.score = frame_score(frame.digest, weights)
    frame.save(update_fields=["state", "closed_at", "outputs", "digest", "digest_text", "score"])


def _is_below(frame_id: UUID, top_id: UUID, parents: dict[UUID, UUID | None]) -> bool:
    above = parents.get(frame_id)
    for _ in parents:
        if above is None or above == top_id:
            break
        above = parents.get(above)
    return above == top_id
