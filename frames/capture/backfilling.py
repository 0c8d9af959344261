"""The past of a session, from a transcript: what hooks would have said, in order and all at once.

It comes to the same rows as frames.capture.keeping by the same ids, whichever was first. Two things
differ: events are appended many at a time, and nothing here disturbs what goes on now: no session
is woken, no frame that has moved on is opened or closed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from frames.accepting import EARLIEST, SKEW, Answer, EventIn, rejected
from frames.appending import append_batch
from frames.calls import close_frame, end_session, open_session, reopen_frame, start_frame
from frames.capture import claude_code as cc
from frames.capture import keeping, twins
from frames.capture.claude_code import Hook
from frames.capture.keeping import CLIENT, LONGEST_INPUT, Sent
from frames.models import AgentSession, Frame
from frames.reach import frames_of, sessions_of
from frames.signals import told_at_the_end
from frames.tombstones import WasErased
from workspaces.actor import Actor

MOST_REPORTS = 2_000
# After these the frames stand otherwise than before.
MOVING = ("UserPromptSubmit", "Stop", "StopFailure", "SubagentStop", "SessionEnd")


@dataclass(frozen=True)
class Report:
    """A hook that would have run, when, and the transcript's own id for what it is about."""

    hook: Hook
    at: datetime
    delivery: str


def backfill(*, actor: Actor, sent: Sent, reports: Sequence[Report]) -> list[Answer]:
    """Keep `reports`, of one session and in their order; an answer for each.

    The transaction is the caller's. What is known already is a duplicate and changes nothing.
    Raises Refusal.
    """
    actor.require("write")
    if not reports:
        return []
    with told_at_the_end(actor.workspace):
        try:
            past = _Past(actor, sent, reports)
        except WasErased as erased:
            return [rejected(erased.code, erased.message) for _ in reports]
        return past.keep()


class _Past:
    def __init__(self, actor: Actor, sent: Sent, reports: Sequence[Report]) -> None:
        self.actor, self.sent, self.reports = actor, sent, reports
        self.answers: list[Answer | None] = [None] * len(reports)
        self.waiting: list[tuple[int, EventIn, Frame]] = []
        self.frames: dict[tuple[str, str], Frame] = {}
        self.heard: dict[Any, twins.Heard] = {}
        first = reports[0]
        self.session = self._session(first)
        self.root = keeping._root(actor, first.hook, self.session, first.at)

    def keep(self) -> list[Answer]:
        first, last = EARLIEST, timezone.now() + SKEW
        for number, report in enumerate(self.reports):
            if not first <= report.at <= last:
                message = "A time between the year 2000 and now is needed."
                self.answers[number] = rejected("invalid", message, "at")
                continue
            self._keep(number, report)
        self._flush()
        self._widen()
        return [answer for answer in self.answers if answer is not None]

    def _keep(self, number: int, report: Report) -> None:
        hook, at = report.hook, report.at
        try:
            frame = self._place(hook, at)
        except WasErased as erased:
            self.answers[number] = rejected(erased.code, erased.message)
            return
        heard = self.heard.setdefault(frame.pk, twins.Heard(self.actor, frame))
        if (known := heard.twin(hook, at)) is not None:
            self.answers[number] = Answer("duplicate", known)
            if hook.name == "SessionEnd":
                self._leave(at)
            return
        event = EventIn(
            frame=str(frame.pk), type=cc.event_type(hook), payload=cc.payload(hook),
            source_id=twins.told_id(hook, report.delivery), arrived_at=at,
        )  # fmt: skip
        self.waiting.append((number, event, frame))
        if hook.name in MOVING:
            self._flush()
            answer = self.answers[number]
            if answer is not None and answer.outcome == "created":
                self._move(hook, frame, at)
            elif hook.name == "UserPromptSubmit":
                self._leave(at, frame)

    def _flush(self) -> None:
        events = [event for _, event, _ in self.waiting]
        stored = append_batch(actor=self.actor, events=events, live=False) if events else []
        for (number, _, _), answer in zip(self.waiting, stored, strict=True):
            self.answers[number] = answer
        self.waiting.clear()

    def _session(self, first: Report) -> AgentSession:
        """The run there is, as it stands; else a new one, which ended when it was last heard of."""
        hook = first.hook
        known = sessions_of(self.actor).filter(source_id=hook.session, client=CLIENT)
        session = known.select_related("project").order_by("-last_seen_at").first()
        if session is None:
            project = keeping._project(self.actor, hook, self.sent)
            session, _ = open_session(
                actor=self.actor, project=project, source_id=hook.session, client=CLIENT,
                branch=self.sent.branch, host=self.sent.host, at=first.at,
            )  # fmt: skip
        return session

    def _widen(self) -> None:
        """The session spans what was told of it; whether it has ended is not for us to say."""
        times = [report.at.astimezone(UTC) for report in self.reports]
        session = self.session
        session.refresh_from_db()
        session.started_at = min(session.started_at, *times)
        session.last_seen_at = max(session.last_seen_at, *times)
        if session.ended_at is not None:
            session.ended_at = max(session.ended_at, *times)
        session.save(update_fields=["started_at", "last_seen_at", "ended_at"])

    def _place(self, hook: Hook, at: datetime) -> Frame:
        place = cc.place_of(hook)
        if place == "session" or not (hook.prompt or hook.agent):
            return self.root
        prompt = self.frames.get((hook.prompt, ""))
        if prompt is None or hook.name == "UserPromptSubmit":
            prompt = keeping._prompt(self.actor, hook, self.session, self.root, at)
            self.frames[hook.prompt, ""] = prompt
        if place == "prompt":
            return prompt
        if (hook.prompt, hook.agent) not in self.frames:
            self.frames[hook.prompt, hook.agent] = self._agent(hook, prompt, at)
        return self.frames[hook.prompt, hook.agent]

    def _agent(self, hook: Hook, prompt: Frame, at: datetime) -> Frame:
        """A subagent's frame; the transcript itself says which call it came from."""
        ref = cc.agent_ref(hook)
        if known := frames_of(self.actor).filter(source_id=ref).first():
            return known
        call = hook.data.get("called_with")
        call = call if isinstance(call, dict) else {}
        told = str(call.get("description") or "").strip()
        if not told and call.get("prompt"):
            told = cc.prompt_name(str(call["prompt"]))
        inputs: dict[str, Any] = {"agent_type": hook.agent_type}
        for name in ("description", "prompt", "tool_use_id"):
            inputs[name] = str(call.get(name) or "")[:LONGEST_INPUT]
        return start_frame(
            actor=self.actor, project=self.session.project, session=self.session, parent=prompt,
            type="subtask", name=told[: cc.NAME_LENGTH] or f"Subagent {hook.agent_type}".strip(),
            source_id=ref, inputs={k: v for k, v in inputs.items() if v}, started_at=at,
        )[0]  # fmt: skip

    def _leave(self, at: datetime, frame: Frame | None = None) -> None:
        """Hooks have told that the work went on elsewhere, or ended: what they did not know of, too."""
        if frame is None:
            self.session.refresh_from_db()
            if self.session.ended_at is None:
                return
        earlier = frames_of(self.actor).filter(parent=self.root, started_at__lt=at).active()
        for each in earlier.exclude(pk=frame.pk if frame else None):
            if not keeping._has_open_children(self.actor, each):
                close_frame(actor=self.actor, frame=each, closed_at=at)

    def _move(self, hook: Hook, frame: Frame, at: datetime) -> None:
        """Close frames as the hook would have, but none that began later."""
        said = hook.text("last_assistant_message")[: 4 * LONGEST_INPUT] or None
        frame.refresh_from_db()
        if hook.name == "UserPromptSubmit":
            earlier = frames_of(self.actor).filter(parent=self.root, started_at__lt=at).active()
            for each in earlier.exclude(pk=frame.pk):
                close_frame(actor=self.actor, frame=each, closed_at=at)
        elif hook.name == "SessionEnd":
            close_frame(actor=self.actor, frame=self.root, closed_at=at)
            self.session.refresh_from_db()
            if self.session.last_seen_at <= at:
                end_session(self.session, at=at)
        elif frame.pk != self.root.pk:
            if frame.closed_at is not None and frame.closed_at < at:
                # An end that was told before was none: the turn went on.
                reopen_frame(actor=self.actor, frame=frame)
            failed = {"error": hook.data.get("error")} if hook.name == "StopFailure" else None
            close_frame(actor=self.actor, frame=frame, result=said, outputs=failed, closed_at=at)
