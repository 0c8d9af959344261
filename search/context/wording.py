"""The words for each thing: one line, so that nothing anybody wrote can pass for a heading of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frames import digest
from frames.entries import entry_of
from frames.models import Anchor, Frame
from frames.payload import clean
from frames.timeline import Line
from search.context.moment import Noted

SECTIONS = ("decisions", "constraints", "risks")


def flat(text: str) -> str:
    return " ".join(clean(text).split())


def frame_text(frame: Frame) -> str:
    """A frame on the active path: what it is, since when, and what must hold in it."""
    text = f"{flat(frame.name)} ({flat(frame.type)}, since {frame.started_at:%Y-%m-%d %H:%M}) [{frame.pk}]"
    if constraints := _constraints(frame):
        text += ". Must hold: " + "; ".join(constraints)
    return text


def anchor_text(anchor: Anchor | Noted, section: str) -> str:
    """The heading says of most what they are; the rest says it itself."""
    usual = "CONSTRAINT" if section == "rules" else "DECISION"
    kind = "" if anchor.type == usual else f"{flat(anchor.type).replace('_', ' ').capitalize()}: "
    return f"{kind}{flat(anchor.text)}"


def digest_text(frame: Frame, replaced: Sequence[str]) -> str:
    """A closed frame's digest without what has been replaced since."""
    text = frame.digest_text
    gone = {each[: digest.LINE] for each in replaced if each[: digest.LINE] in text}
    if gone:
        told = dict(frame.digest) if isinstance(frame.digest, dict) else {}
        for section in SECTIONS:
            if isinstance(told.get(section), list):
                told[section] = [each for each in told[section] if each not in gone]
        text = digest.digest_text(frame, told) if "outcome" in told else ""
        if any(words in text for words in gone):
            return ""
    name = flat(frame.name)
    words = flat(" / ".join(line for line in text.splitlines() if line.strip()))
    words = words.removeprefix(f"{name}: ")
    return f"{name}: {words} [{frame.pk}]" if words else ""


def other_text(frame: Frame) -> str:
    return (
        f"{flat(frame.name)} ({flat(frame.owner.display_name)})"
        if frame.owner
        else flat(frame.name)
    )


def event_text(line: Line) -> str:
    entry = entry_of(line)
    fields = " ".join(f.text for f in [*entry.fields, *entry.output_fields][:3])
    said = entry.gist or entry.text or entry.output or entry.output_json or fields
    if not said.strip():
        return ""
    mark = " failed" if entry.error else ""
    return flat(f"{line.at:%H:%M:%S} {entry.label}{mark} {entry.title} {said}")


def _constraints(frame: Frame) -> list[str]:
    given: Any = frame.inputs.get("constraints") if isinstance(frame.inputs, dict) else None
    return [flat(str(each)) for each in given][:10] if isinstance(given, list) else []
