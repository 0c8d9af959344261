"""What came of a frame: its digest and outputs, sorted into what people read first and the rest.

Three shapes of digest are known: our own (frames/digest.py) and those of two generations of local
stores, which also merged them into the outputs over the caller's own keys. Imported ones hold
references where they repeated other rows (frames/transfer/documents.py): {"$event": id} for an
event, {"$digest": key} in outputs for the digest's value of that key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from frames.models import Frame
from frames.payload import PREVIEW, Field, clean, fields, number, pretty, shorten, words

LISTS = {
    "decisions": "Decided", "keyDecisions": "Decided", "constraints": "Constraints",
    "risks": "Risks", "errors": "Errors", "errorsEncountered": "Errors", "files": "Files",
    "filesModified": "Files", "artifacts": "Artifacts", "tests": "Tests", "testsRun": "Tests",
}  # fmt: skip
FIGURES = {
    "tool_calls": "tool call", "tool_calls_count": "tool call", "toolCallCount": "tool call",
    "events": "event", "totalEvents": "event", "totalAnchors": "anchor",
}  # fmt: skip
MAX_ITEMS = 30


@dataclass(slots=True)
class Outcome:
    text: str = ""
    text_cut: bool = False
    # What whoever closed the frame handed back, in their own words.
    outputs: list[Field] = field(default_factory=list)
    # How it ended, where the digest says so: done, failed, …
    ended: str = ""
    lists: list[tuple[str, list[str]]] = field(default_factory=list)
    figures: list[tuple[str, int]] = field(default_factory=list)
    # The structured digest as it is stored.
    stored: str = ""
    stored_cut: bool = False

    def __bool__(self) -> bool:
        return bool(self.text or self.outputs or self.lists or self.stored)


def outcome_of(frame: Frame) -> Outcome:
    digest = frame.digest if isinstance(frame.digest, Mapping) else {}
    outcome = Outcome()
    outcome.text, outcome.text_cut = shorten(
        re.sub(r"\n{3,}", "\n\n", frame.digest_text.strip()), PREVIEW.text
    )
    outcome.outputs = fields(own_outputs(frame.outputs, digest), PREVIEW)
    ended = digest.get("outcome") or digest.get("exitStatus")
    outcome.ended = clean(ended[:40]) if isinstance(ended, str) else ""
    outcome.lists = list(_lists(digest))
    outcome.figures = list(_figures(digest))
    if frame.digest:
        outcome.stored, outcome.stored_cut = shorten(pretty(frame.digest), PREVIEW.json * 4)
    return outcome


def own_outputs(outputs: Any, digest: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that are not the digest once more."""
    if not isinstance(outputs, Mapping):
        return {"outputs": outputs} if outputs else {}
    return {
        key: value
        for key, value in outputs.items()
        if not _refers_to_digest(value) and not (key in digest and digest[key] == value)
    }


def _refers_to_digest(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"$digest"}


def _sections(digest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The digest itself and the groups that newer ones have."""
    yield digest
    for name in ("activity", "knowledge", "outcomes"):
        if isinstance(digest.get(name), Mapping):
            yield digest[name]


def _lists(digest: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    seen: set[str] = set()
    for section in _sections(digest):
        for key, label in LISTS.items():
            value = section.get(key)
            if not isinstance(value, list) or label in seen:
                continue
            items = [said for item in value[:MAX_ITEMS] if (said := _item(item))]
            if items:
                seen.add(label)
                yield label, items


def _item(item: Any) -> str:
    """One decision or artifact in a line."""
    if isinstance(item, Mapping) and not words(item):
        parts = [str(item[k]) for k in ("kind", "ref", "path", "name", "id") if item.get(k)]
        text = " ".join(parts)
    else:
        text = words(item)
    return clean(" ".join(text[:600].split()))


def _figures(digest: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for section in _sections(digest):
        for key, label in FIGURES.items():
            value = section.get(key)
            if isinstance(value, Mapping):  # by tool
                value = sum(n for n in map(number, value.values()) if n)
            n = number(value)
            if n and label not in seen:
                seen.add(label)
                yield label, int(n)
