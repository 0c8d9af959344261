"""Putting markers where secrets were, without breaking the JSON they stood in."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MARKER = re.compile(rb"\[redacted:[A-Za-z0-9_-]{1,40}\]")
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(?=(\s*:)?)', re.DOTALL)
NUMBER = re.compile(rb"-?\d[0-9.eE+-]*")


class Span(NamedTuple):
    """Bytes to take out. Where spans overlap, the kind of the lowest `rank` names the whole."""

    start: int
    end: int
    kind: str
    rank: int = 0


class Piece(NamedTuple):
    """A span that can be replaced as it is, and what part of a JSON text it is in."""

    span: Span
    is_key: bool = False
    is_number: bool = False


class Token(NamedTuple):
    start: int
    end: int
    is_number: bool
    is_key: bool


def splice(data: bytes, spans: Iterable[Span]) -> tuple[bytes, Counter[str]]:
    """The text with a marker for each span, and how many of each kind there are.

    In a JSON text only what stands inside strings is taken out (a number is replaced whole, by a
    string), never half of an escape, and keys stay different. Markers that are there already are
    left alone.
    """
    found = _without_markers(data, _merged(spans))
    pieces = _within_json(data, found) if _is_json(data) else [Piece(span) for span in found]
    parts, counts, keys, at = [], Counter[str](), Counter[str](), 0
    for span, is_key, is_number in pieces:
        kind = span.kind
        counts[kind] += 1
        if is_key:
            keys[kind] += 1
            kind += f"-{keys[kind]}" if keys[kind] > 1 else ""
        marker = b"[redacted:%s]" % kind.encode()
        parts += [data[at : span.start], b'"%s"' % marker if is_number else marker]
        at = span.end
    parts.append(data[at:])
    return b"".join(parts), counts


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            name = min(last, span, key=lambda each: each.rank)
            merged[-1] = Span(last.start, max(last.end, span.end), name.kind, name.rank)
        elif span.start < span.end:
            merged.append(span)
    return merged


def _without_markers(data: bytes, spans: list[Span]) -> list[Span]:
    """A span that holds a marker falls into the pieces around it."""
    if b"[redacted:" not in data:
        return spans
    pieces, markers = [], list(MARKER.finditer(data))
    for span in spans:
        at = span.start
        for marker in markers:
            if marker.end() <= at or marker.start() >= span.end:
                continue
            if at < marker.start():
                pieces.append(span._replace(start=at, end=marker.start()))
            at = marker.end()
        if at < span.end:
            pieces.append(span._replace(start=at))
    return pieces


def _is_json(data: bytes) -> bool:
    if data.lstrip()[:1] not in (b"{", b"[", b'"'):
        return False
    try:
        json.loads(data)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _within_json(data: bytes, spans: list[Span]) -> list[Piece]:
    """What of the spans can be replaced: parts of strings, and whole numbers."""
    pieces, tokens = list[Piece](), _tokens(data)
    token = next(tokens, None)
    for span in spans:
        while token and token.end <= span.start:
            token = next(tokens, None)
        while token and token.start < span.end:
            crosses = span.start <= token.start or span.end >= token.end
            if token.is_number:
                part = span._replace(start=token.start, end=token.end)
            else:
                inside = token.end - 1
                part = span._replace(
                    start=_whole(data, max(span.start, token.start + 1), inside),
                    end=_whole(data, min(span.end, inside), inside),
                )
            piece = Piece(part, token.is_key, token.is_number)
            is_new = not pieces or pieces[-1].span.end <= part.start
            if part.start < part.end and is_new and not (token.is_key and crosses):
                pieces.append(piece)
            if token.end > span.end:
                break  # the next span may begin in the same string
            token = next(tokens, None)
    return pieces


def _tokens(data: bytes) -> Iterator[Token]:
    """Strings and numbers of a JSON text, in their order."""
    at = 0
    for string in STRING.finditer(data):
        for number in NUMBER.finditer(data, at, string.start()):
            yield Token(*number.span(), is_number=True, is_key=False)
        yield Token(*string.span(), is_number=False, is_key=string.group(1) is not None)
        at = string.end()
    for number in NUMBER.finditer(data, at):
        yield Token(*number.span(), is_number=True, is_key=False)


def _whole(data: bytes, at: int, limit: int) -> int:
    """`at`, or where the escape ends that it is in the middle of."""
    slash = data.rfind(b"\\", max(0, at - 5), at)
    if slash < 0:
        return at
    before = slash
    while before > 0 and data[before - 1 : before] == b"\\":
        before -= 1
    if (slash - before) % 2:
        return at  # that backslash is itself escaped
    length = 6 if data[slash + 1 : slash + 2] == b"u" else 2
    return min(slash + length, limit) if slash + length > at else at
