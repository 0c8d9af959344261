"""Which result answers which tool call."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

CALLS = frozenset({"tool_call", "tool_use", "function_call", "pretooluse", "pre_tool_use"})
RESULTS = frozenset(
    {"tool_result", "tool_output", "function_call_output", "posttooluse", "post_tool_use",
     "posttoolusefailure", "post_tool_use_failure"}
)  # fmt: skip
ID_KEYS = ("tool_use_id", "call_id", "tool_call_id", "toolUseId", "callId", "toolCallId")
NAME_KEYS = ("tool_name", "tool", "name", "toolName")


class Paired(Protocol):
    @property
    def type(self) -> str: ...

    @property
    def tool(self) -> str: ...

    @property
    def data(self) -> Any: ...


def is_call(event: Paired) -> bool:
    return event.type.lower() in CALLS


def is_result(event: Paired) -> bool:
    return event.type.lower() in RESULTS


def call_id(event: Paired) -> str:
    """The id that a call and its result share, where the client gives one."""
    return _first(event.data, ID_KEYS)


def tool_name(event: Paired) -> str:
    return _first(event.data, NAME_KEYS) or event.tool


def _first(data: Any, keys: Sequence[str]) -> str:
    if not isinstance(data, Mapping):
        return ""
    return next((data[key] for key in keys if isinstance(data.get(key), str) and data[key]), "")


def pair(events: Sequence[Paired]) -> dict[int, int]:
    """Positions of calls → positions of their results, among events in order.

    By id where there is one; else the next result of the same tool. Calls made in one breath are
    answered in their order; a call after which other things happened and which then is made
    again was never answered, and does not take its successor's result.
    """
    by_id: dict[str, int] = {}
    waiting: defaultdict[str, deque[int]] = defaultdict(deque)
    pairs: dict[int, int] = {}
    last_other = -1
    for at, event in enumerate(events):
        if is_call(event):
            if key := call_id(event):
                by_id[key] = at
                continue
            queue = waiting[tool_name(event)]
            if queue and last_other > queue[-1]:
                queue.clear()
            queue.append(at)
            continue
        last_other = at
        if not is_result(event):
            continue
        call = _answered(event, at, events, by_id, waiting)
        if call is not None:
            pairs[call] = at
    return pairs


def _answered(
    result: Paired, at: int, events: Sequence[Paired], by_id: dict[str, int],
    waiting: dict[str, deque[int]],
) -> int | None:  # fmt: skip
    if key := call_id(result):
        return by_id.pop(key, None)
    if name := tool_name(result):
        queue = waiting.get(name)
        return queue.popleft() if queue else None
    # It says nothing of itself: it answers what stands right before it, if that is a call.
    if at and is_call(events[at - 1]) and not call_id(events[at - 1]):
        queue = waiting[tool_name(events[at - 1])]
        return queue.pop() if queue and queue[-1] == at - 1 else None
    return None
