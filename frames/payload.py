"""Payloads as people can read them: parsed where possible, safe to write into a page.

Nothing here trusts its input: text may be cut off, not JSON, nested a thousand deep, full of
terminal colours or lone surrogates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TEXT_KEYS = ("text", "content", "message", "prompt", "result", "summary", "body", "output")
BROKEN = (ValueError, RecursionError)
TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
# What HTML cannot say (controls, surrogates); line ends and tabs stay.
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*("?)|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)
HALF_ESCAPE = re.compile(r"((?:^|[^\\])(?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a thing is shown at once."""

    text: int
    field: int
    fields: int
    json: int


PREVIEW = Limits(text=6_000, field=1_500, fields=30, json=4_000)
WHOLE = Limits(text=1_000_000, field=1_000_000, fields=2_000, json=1_000_000)


@dataclass(frozen=True, slots=True)
class Field:
    """One key with its value; `kind` is line, text (several lines) or json."""

    name: str
    text: str
    kind: str = "line"
    cut: bool = False


def parse(text: str, *, cut: bool = False) -> Any:
    """The JSON value of a payload, or the text itself where it is none.

    Of a payload that was cut off, what can still be read.
    """
    try:
        return json.loads(text)
    except BROKEN:
        if not cut:
            return text
    try:
        return json.loads(closed(text))
    except BROKEN:
        return text


def closed(text: str) -> str:
    """A JSON text that was cut off, with everything open closed and what dangles dropped."""
    closers: list[str] = []
    keep, tail = 0, ""  # the text up to here, and how it would have to end
    expects_key = False
    for token in TOKEN.finditer(text):
        mark = token.group()
        if mark in "{[":
            closers.append("}" if mark == "{" else "]")
            expects_key = mark == "{"
        elif mark in "}]":
            if closers:
                closers.pop()
            expects_key = False
        elif mark == ",":
            expects_key = bool(closers) and closers[-1] == "}"
            continue
        elif mark == ":":
            expects_key = False
            continue
        elif mark.startswith('"') and not token.group(1):
            if expects_key:
                break
            ended = HALF_ESCAPE.sub(r"\1", mark)
            return text[: token.start()] + ended + '"' + "".join(reversed(closers))
        elif expects_key:
            continue  # a key counts only with its value
        elif not mark.startswith('"') and token.end() == len(text):
            break  # half a number or word
        keep, tail = token.end(), "".join(reversed(closers))
    return text[:keep] + tail


def clean(text: str) -> str:
    """The text without terminal codes and without what a page cannot hold."""
    return UNPRINTABLE.sub("\ufffd", TERMINAL_CODES.sub("", text))


def shorten(text: str, limit: int) -> tuple[str, bool]:
    """The beginning of a text, cleaned, and whether anything is missing."""
    return clean(text[:limit]), len(text) > limit


def pretty(value: Any) -> str:
    """The value as indented JSON."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except BROKEN:
        return str(type(value).__name__)


def words(value: Any) -> str:
    """The prose in a value: itself, or what it holds where agents put text. Empty for none."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [words(item) for item in value if _is_textual(item)]
        return "\n".join(part for part in parts if part)
    if isinstance(value, Mapping):
        for key in TEXT_KEYS:
            found = words(value.get(key)) if isinstance(value.get(key), str | list) else ""
            if found.strip():
                return found
    return ""


def _is_textual(item: Any) -> bool:
    return isinstance(item, str) or (
        isinstance(item, Mapping) and isinstance(item.get("text"), str)
    )


def only_words(value: Any) -> bool:
    """Whether a list of blocks is text and nothing else, so that its words say it all."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(item, str)
        or (
            isinstance(item, Mapping)
            and isinstance(item.get("text"), str)
            and set(item) <= {"type", "text"}
        )
        for item in value
    )  # fmt: skip


def fields(value: Mapping[str, Any], limits: Limits, *, skip: Iterable[str] = ()) -> list[Field]:
    """Keys and values to read, in their order; empty values are left out."""
    skipped = set(skip)
    rest = [(k, v) for k, v in value.items() if k not in skipped and v not in (None, "", [], {})]
    shown = [field_of(str(key), item, limits) for key, item in rest[: limits.fields]]
    if len(rest) > limits.fields:
        shown.append(Field("…", f"{len(rest) - limits.fields} more", cut=True))
    return shown


def field_of(name: str, value: Any, limits: Limits) -> Field:
    name = clean(name[:200])
    if isinstance(value, str):
        return _text_field(name, value, limits)
    if isinstance(value, bool):
        return Field(name, "yes" if value else "no")
    if isinstance(value, list) and all(isinstance(v, str | int | float) for v in value):
        joined = ", ".join(str(v) for v in value)
        if len(joined) <= 120 and "\n" not in joined:
            return Field(name, clean(joined))
    if isinstance(value, list | Mapping):
        text, cut = shorten(pretty(value), limits.json)
        return Field(name, text, "json", cut)
    return Field(name, clean(str(value))[: limits.field])


def _text_field(name: str, value: str, limits: Limits) -> Field:
    text, cut = shorten(value, limits.field)
    if (inner := json_in(value, limits)) is not None:
        return Field(name, inner[0], "json", inner[1])
    return Field(name, text, "text" if "\n" in text or len(text) > 160 else "line", cut)


def json_in(text: str, limits: Limits) -> tuple[str, bool] | None:
    """If a text is itself a JSON object or list, that, indented and cut to size."""
    stripped = text.strip()
    if stripped[:1] not in ("{", "[") or stripped[-1:] not in ("}", "]"):
        return None
    if len(stripped) > 200_000:
        return None
    try:
        return shorten(pretty(json.loads(stripped)), limits.json)
    except BROKEN:
        return None


def number(value: Any) -> float | None:
    """A plain number, or None (a bool is none)."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e15 else None
