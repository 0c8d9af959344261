"""The same thing told by a hook and by a transcript, where no id of the client's names it.

Starts, ends and compactions are known by the delivery of their hook, which no transcript has. So one
way asks whether the other was here before, by the frame, the kind, and what was said or when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from frames.capture import claude_code as cc
from frames.capture.claude_code import Hook
from frames.cold import reading
from frames.cold.container import as_event
from frames.incoming import text_in
from frames.models import Event, Frame
from workspaces.actor import Actor

# What ids made from a transcript's end with, so that they are told from a hook's delivery.
TOLD = ".told"
NAMELESS = (
    "SessionStart", "SessionEnd", "Stop", "StopFailure", "SubagentStart", "SubagentStop",
    "PreCompact",
)  # fmt: skip
# What was said at an end was in the middle once something follows, and is the same event still.
SAID = "AssistantMessage"
# What somebody said while the work on an earlier prompt went on: a client may call it a prompt.
QUEUED = "UserMessage"
# A hook runs before what a transcript tells of it, or just after: a compaction takes a while.
CLOSE = timedelta(minutes=5)
LOOKED_AT = 50


def told_id(hook: Hook, delivery: str) -> str:
    """The identity of what a transcript tells."""
    named = replace(hook, name=SAID) if cc.event_type(hook) == "assistant_message" else hook
    return cc.source_id(named, delivery[:90] + TOLD)


@dataclass
class Heard:
    """What hooks have told in one frame of which a transcript may tell again. Read once."""

    actor: Actor
    frame: Frame
    said: list[tuple[Any, str, datetime]] | None = None

    def twin(self, hook: Hook, at: datetime) -> Any:
        """The event by which a hook told what a transcript tells now."""
        if cc.event_type(hook) == "assistant_message":
            return self._said(hook, at)
        if hook.name == QUEUED:
            return self._asked(hook, at)
        # Apart from messages a frame has one of each at most.
        worded = hook.name == "UserPromptSubmit" and hook.prompt.startswith("~")
        if hook.name not in NAMELESS and not worded:
            return None
        return next((event.pk for event in self._events(cc.event_type(hook), hook.name)), None)

    def _said(self, hook: Hook, at: datetime) -> Any:
        if self.said is None:
            name = "SubagentStop" if hook.agent else "Stop"
            self.said = [
                (event.pk, _words(_text(event, "message")), event.occurred_at)
                for event in self._events("assistant_message", name)
            ]
        if not self.said:
            return None
        words = _words(text_in(self.actor.workspace, hook.text("last_assistant_message")))
        ending = hook.name != SAID
        for pk, told, when in self.said:
            # Word for word; or an end that was told in other words, right after.
            if told.endswith(words) or (ending and timedelta() <= when - at <= CLOSE):
                return pk
        return None

    def _asked(self, hook: Hook, at: datetime) -> Any:
        asked = Event.objects.in_workspace(self.actor.workspace).filter(
            frame__session=self.frame.session_id, type="user_message", source_id__endswith=":asked",
            occurred_at__range=(at - CLOSE, at + CLOSE),
        )  # fmt: skip
        words = _words(text_in(self.actor.workspace, hook.text("prompt")))
        same = (e.pk for e in asked[:LOOKED_AT] if _words(_text(e, "prompt")) == words)
        return next(same, None)

    def _events(self, kind: str, name: str) -> Iterator[Event]:
        """Those that hooks of this name told, in cold storage too."""
        part = f":{name}:"
        events = Event.objects.in_workspace(self.actor.workspace).filter(
            frame=self.frame, type=kind, source_id__contains=part
        )
        yield from events.exclude(source_id__endswith=TOLD)
        if self.frame.cold_count:
            for row in reading.of_frames(self.frame.workspace_id, [self.frame.pk]):
                id_ = row["source_id"] or ""
                if row["type"] == kind and part in id_ and not id_.endswith(TOLD):
                    yield as_event(row, self.frame.workspace_id)


def by_transcript(actor: Actor, hook: Hook, at: datetime | None) -> bool:
    """Whether a transcript has told what a hook reports now: it was late, or the client came back."""
    if hook.name not in NAMELESS:
        return False
    said = hook.name in ("Stop", "SubagentStop")
    # Of a prompt that the client does not name, all prompts of the run are looked through.
    place: dict[str, Any] = {"frame__source_id": _frame_ref(hook)}
    if not hook.prompt and not hook.agent and cc.place_of(hook) == "prompt":
        place = {
            "frame__parent__source_id": cc.session_ref(hook),
            "frame__parent__workspace": actor.workspace,
        }
    events = Event.objects.in_workspace(actor.workspace).filter(
        **place,
        frame__workspace=actor.workspace,
        source_id__endswith=TOLD,
        type="assistant_message" if said else cc.event_type(hook),
    )
    told = list(events.order_by("-occurred_at", "-seq", "-id")[:LOOKED_AT])
    if not told:
        return False
    when = at or timezone.now()
    match hook.name:
        case "SessionStart":
            # A client that comes back starts again; the first start, and that of a copy, is one.
            return hook.text("source") in ("", "startup") or any(_close(e, when) for e in told)
        case "SessionEnd":
            later = Event.objects.in_workspace(actor.workspace).filter(
                frame__session=told[0].session_id, occurred_at__gt=told[0].occurred_at
            )
            return not later.exists()
        case "SubagentStart" | "StopFailure":
            return True
        case "PreCompact":
            return any(_close(event, when) for event in told)
    words = _words(text_in(actor.workspace, hook.text("last_assistant_message")))
    named = bool(hook.prompt or hook.agent)
    return any(
        (not words or words.endswith(_words(_text(event, "message"))))
        and (named or _close(event, when))
        for event in told
    )


def _frame_ref(hook: Hook) -> str:
    match cc.place_of(hook):
        case "session":
            return cc.session_ref(hook)
        case "agent":
            return cc.agent_ref(hook)
    return cc.prompt_ref(hook)


def _close(event: Event, when: datetime) -> bool:
    return abs(event.occurred_at - when) <= CLOSE


def _text(event: Event, name: str) -> str:
    data = event.data_at_hand
    return str(data.get(name) or "") if isinstance(data, Mapping) else ""


def _words(text: str) -> str:
    return " ".join(text.split())
