"""Keeping what hooks say: a session, a frame for each prompt's work, nested ones for subagents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.text import slugify

from frames.accepting import EARLIEST, EventIn
from frames.appending import append_batch, was_appended
from frames.calls import (
    close_frame,
    end_session,
    keep_revision,
    open_session,
    reopen_frame,
    start_frame,
)
from frames.capture import claude_code as cc
from frames.capture import twins
from frames.capture.claude_code import Hook
from frames.incoming import text_in
from frames.models import AgentSession, Event, Frame, Project
from frames.projecting import create_project
from frames.reach import find_project, frames_of, sessions_of
from frames.tombstones import WasErased
from stackmemory.lib.refusal import Refusal
from workspaces.actor import Actor

CLIENT = "claude-code"
UNSEEN = "A prompt that was not seen"
LONGEST_INPUT = 4_000


@dataclass(frozen=True)
class Sent:
    """What the sender adds to a hook: when it was called, an id for the call, and surroundings."""

    at: datetime | None = None
    delivery: str = ""
    project: str = ""
    branch: str = ""
    host: str = ""


@dataclass(frozen=True)
class Kept:
    """`created` is false for what had been kept before. `seen_before` is when the session last was."""

    created: bool
    session: AgentSession | None = None
    frame: Frame | None = None
    seen_before: datetime | None = None


def keep(*, actor: Actor, hook: Hook, sent: Sent) -> Kept:
    """Append the hook's event to the frame it belongs to, and move frames as it says, once.

    The transaction is the caller's. A repetition changes nothing, and neither does what goes on in
    a session or frame that was erased. Raises Refusal.
    """
    actor.require("write")
    identity = cc.source_id(hook, sent.delivery)
    if was_appended(actor, identity):
        return Kept(created=False)
    at = _sane(sent.at)
    if twins.by_transcript(actor, hook, at):
        return Kept(created=False)
    try:
        session, seen_before = _session(actor, hook, sent, at)
        root = _root(actor, hook, session, at)
        frame = _place(actor, hook, session, root, at)
    except WasErased:  # nothing to be mended by whoever sends it
        return Kept(created=False)
    answer = append_batch(
        actor=actor,
        events=[
            EventIn(
                frame=str(frame.pk),
                type=cc.event_type(hook),
                payload=cc.payload(hook),
                source_id=identity,
                arrived_at=at,
            )
        ],
    )[0]
    if answer.outcome == "rejected":
        raise Refusal(answer.code, answer.message, field=answer.field)
    if answer.outcome == "created":
        _move(actor, hook, session, root, frame, at)
    return Kept(answer.outcome == "created", session, frame, seen_before)


def _sane(at: datetime | None) -> datetime | None:
    """A time the sender's clock can be believed in; else None, for the time of arrival."""
    if at is None or at.tzinfo is None or at < EARLIEST:
        return None
    return min(at, timezone.now()).astimezone(UTC)


def _session(
    actor: Actor, hook: Hook, sent: Sent, at: datetime | None
) -> tuple[AgentSession, datetime | None]:
    """The run, in the project it began in, and when it was last heard of if it is known."""
    known = sessions_of(actor).filter(source_id=hook.session, client=CLIENT)
    session = known.select_related("project").order_by("-last_seen_at").first()
    project = session.project if session else _project(actor, hook, sent)
    before = session.last_seen_at if session else None
    if session is None or session.ended_at or sent.branch not in ("", session.branch):
        session, made = open_session(
            actor=actor, project=project, source_id=hook.session, client=CLIENT,
            branch=sent.branch, host=sent.host, at=at,
        )  # fmt: skip
        before = before if not made else None
    return session, before


def _project(actor: Actor, hook: Hook, sent: Sent) -> Project:
    """The key's project; else the one that goes by the repository's name, made if there is none."""
    if actor.project_id is not None:
        return find_project(actor, None)
    name = (sent.project or cc.project_name(hook.cwd)).strip()[:200]
    slug = slugify(name)[:50].strip("-")
    projects = list(Project.objects.in_workspace(actor.workspace).order_by("created_at"))
    wanted = {name.lower(), slug, hook.cwd.lower()} - {""}
    for project in projects:
        if {project.slug, project.name.lower()} & wanted:
            return project
    for project in projects:
        if wanted & {str(alias).lower() for alias in project.aliases}:
            return project
    if not slug and len(projects) == 1:
        return projects[0]
    return create_project(actor=actor, name=name if slug else "Unsorted")[0]


def _root(actor: Actor, hook: Hook, session: AgentSession, at: datetime | None) -> Frame:
    """The frame of the whole run: its prompts hang below it, and what belongs to no prompt is in it."""
    title = " ".join(hook.text("session_title").split())[: cc.NAME_LENGTH]
    general = f"Claude Code in {session.project.name}"
    root, made = start_frame(
        actor=actor, project=session.project, session=session, parent=None, type="session",
        name=title or general, source_id=cc.session_ref(hook), started_at=at,
        inputs={"cwd": hook.cwd} if hook.cwd else None,
    )  # fmt: skip
    if title and not made and root.name == general:
        keep_revision(actor, root, ("name",))
        root.name = text_in(actor.workspace, title)
        root.save(update_fields=["name"])
    return root


def _place(
    actor: Actor, hook: Hook, session: AgentSession, root: Frame, at: datetime | None
) -> Frame:
    """The frame the event belongs to, made if this is the first that is heard of it."""
    place = cc.place_of(hook)
    if place == "session":
        return root
    prompt = _prompt(actor, hook, session, root, at)
    return _agent(actor, hook, session, prompt, at) if place == "agent" else prompt


def _prompt(
    actor: Actor, hook: Hook, session: AgentSession, root: Frame, at: datetime | None
) -> Frame:
    asked = hook.name == "UserPromptSubmit" and not hook.agent
    text = hook.text("prompt") if asked else ""
    if hook.prompt:
        ref = cc.prompt_ref(hook)
    elif asked:  # a client too old to say: the same words are the same prompt
        ref = f"{cc.session_ref(hook)}:prompt:~{cc.digest(text)}"
    else:
        below = frames_of(actor).filter(parent=root).active().order_by("-started_at", "-id")
        return below.first() or root
    inputs = {"prompt": text[:LONGEST_INPUT]} if asked else None
    name = cc.prompt_name(text) if asked else UNSEEN
    frame, made = start_frame(
        actor=actor, project=session.project, session=session, parent=root, type="task",
        name=name, inputs=inputs, source_id=ref, started_at=at,
    )  # fmt: skip
    if asked and not made and frame.name == UNSEEN:
        keep_revision(actor, frame, ("name",))
        frame.name = text_in(actor.workspace, name)
        frame.save(update_fields=["name"])
    return frame


def _agent(
    actor: Actor, hook: Hook, session: AgentSession, prompt: Frame, at: datetime | None
) -> Frame:
    ref = cc.agent_ref(hook)
    if known := frames_of(actor).filter(source_id=ref).first():
        return known
    call = _call_behind(actor, hook, prompt) if hook.name == "SubagentStart" else {}
    told = str(call.get("description") or "").strip()
    inputs = {"agent_type": hook.agent_type, **call}
    return start_frame(
        actor=actor, project=session.project, session=session, parent=prompt, type="subtask",
        name=told[: cc.NAME_LENGTH] or f"Subagent {hook.agent_type}".strip(), source_id=ref,
        inputs={k: v[:LONGEST_INPUT] for k, v in inputs.items() if v}, started_at=at,
    )[0]  # fmt: skip


def _call_behind(actor: Actor, hook: Hook, prompt: Frame) -> dict[str, str]:
    """What the subagent was called with: of the calls of its kind, the first no other one has."""
    events = Event.objects.in_workspace(actor.workspace).filter(
        frame=prompt, type="tool_call", tool__in=("Agent", "Task")
    )
    taken = {
        inputs.get("tool_use_id")
        for inputs in frames_of(actor).filter(parent=prompt).values_list("inputs", flat=True)
        if isinstance(inputs, Mapping)
    }
    recent = events.order_by("-occurred_at", "-seq", "-id")[:20]
    for data in (event.data_at_hand for event in reversed(recent)):
        given = data.get("tool_input") if isinstance(data, Mapping) else None
        if not isinstance(given, Mapping) or data.get("tool_use_id") in taken:
            continue
        if given.get("subagent_type") in (hook.agent_type, None):
            wanted = {
                "description": given.get("description"),
                "prompt": given.get("prompt"),
                "tool_use_id": data.get("tool_use_id"),
            }
            return {key: value for key, value in wanted.items() if isinstance(value, str)}
    return {}


def _move(
    actor: Actor, hook: Hook, session: AgentSession, root: Frame, frame: Frame, at: datetime | None
) -> None:
    """Open and close frames as the hook says."""
    said = hook.text("last_assistant_message")[: 4 * LONGEST_INPUT] or None
    frame.refresh_from_db()  # its counters, which a digest tells
    match hook.name:
        case "SessionStart":
            reopen_frame(actor=actor, frame=root)
        case "UserPromptSubmit" if not hook.agent:
            reopen_frame(actor=actor, frame=root)
            _leave_earlier(actor, root, frame, at)
        case "PreToolUse":
            # Work goes on although an end was announced: a hook kept the client from stopping, or
            # a subagent was sent another message.
            reopen_frame(actor=actor, frame=frame)
        case "Stop" if frame.pk != root.pk:
            if cc.works_on(hook):
                frame.metadata = {**frame.metadata, "waits_for_subagents": True}
                frame.outputs = {**frame.outputs, "result": text_in(actor.workspace, said or "")}
                frame.save(update_fields=["metadata", "outputs"])
            else:
                close_frame(actor=actor, frame=frame, result=said, closed_at=at)
        case "StopFailure" if frame.pk != root.pk:
            close_frame(
                actor=actor, frame=frame, outputs={"error": hook.data.get("error")}, closed_at=at
            )
        case "SubagentStop" if hook.agent:
            close_frame(actor=actor, frame=frame, result=said, closed_at=at)
            _end_waiting(actor, frame, at)
        case "SessionEnd":
            close_frame(
                actor=actor, frame=root, outputs={"reason": hook.data.get("reason")}, closed_at=at
            )
            session.refresh_from_db()
            end_session(session, at=at)


def _leave_earlier(actor: Actor, root: Frame, frame: Frame, at: datetime | None) -> None:
    """Close the work on earlier prompts: an interrupted turn has no end of its own.

    Work whose subagents are still at it goes on.
    """
    for earlier in frames_of(actor).filter(parent=root).active().exclude(pk=frame.pk):
        if not _has_open_children(actor, earlier):
            close_frame(actor=actor, frame=earlier, closed_at=at)


def _end_waiting(actor: Actor, agent: Frame, at: datetime | None) -> None:
    """Close the prompt whose turn had ended before its last subagent did."""
    above = frames_of(actor).filter(pk=agent.parent_id).active().first()
    waits = above is not None and above.metadata.get("waits_for_subagents")
    if above and waits and not _has_open_children(actor, above):
        close_frame(actor=actor, frame=above, closed_at=at)


def _has_open_children(actor: Actor, frame: Frame) -> bool:
    return frames_of(actor).filter(parent=frame).active().exists()
