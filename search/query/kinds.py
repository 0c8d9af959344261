"""What people call the kinds of things, and words that stand for one another."""

from __future__ import annotations

KINDS = {
    "frame": "frame", "frames": "frame", "event": "event", "events": "event",
    "anchor": "anchor", "anchors": "anchor", "task": "task", "tasks": "task",
}  # fmt: skip
TYPES: dict[str, tuple[str, ...]] = {
    "decision": ("decision",),
    "constraint": ("constraint",),
    "fact": ("fact",),
    "risk": ("risk",),
    "todo": ("todo",),
    "contract": ("interface_contract",),
    "interface": ("interface_contract",),
    "bug": ("bug", "debug", "bugfix", "fix", "error"),
    "feature": ("feature", "implementation"),
    "architecture": ("architecture", "design", "decision", "interface_contract"),
    "refactoring": ("refactor", "refactoring"),
    "refactor": ("refactor", "refactoring"),
    "message": ("user_message", "assistant_message"),
    "error": ("error", "tool_error"),
    "command": ("tool_call",),
}
OPEN = {"open": True, "active": True, "closed": False, "done": False, "completed": False}
# Priorities are 0–1: anchors' tenths, and tasks' by name.
PRIORITIES = {
    "critical": (0.8, None), "urgent": (0.8, None), "high": (0.7, None),
    "medium": (0.4, 0.7), "low": (None, 0.4),
}  # fmt: skip
TOPICS = [
    {"auth", "authentication", "login", "oauth"},
    {"database", "db", "sql"},
    {"cache", "caching"},
    {"bug", "error", "issue", "defect"},
    {"test", "testing", "spec"},
    {"performance", "slow", "latency"},
    {"security", "vulnerability"},
    {"deploy", "deployment", "release"},
]


def types_called(word: str) -> tuple[list[str], list[str]]:
    """(kinds, types) that a word names; an unknown one is a type of its own."""
    word = word.lower()
    if word in KINDS:
        return [KINDS[word]], []
    one = word[:-1] if word.endswith("s") and word[:-1] in TYPES else word
    return [], list(TYPES.get(one, (word,)))


def topic(word: str) -> str:
    """A topic with the words that stand for it."""
    for group in TOPICS:
        if word.lower() in group:
            return " ".join([word, *sorted(group - {word.lower()})])
    return word
