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


def splice(data: bytes, spans: Iterable[Span]) -> tuple[bytes, Counter[str]]:
    """The text with a marker for each span, and how many of each kind there are.

    In a JSON text only what stands inside strings is taken out (a number is replaced whole, by a
    string), never half of an escape; markers that are there already are left alone.
    """
    found = _without_markers(data, _merged(spans))
    quoted = set[Span]()
    if _is_json(data):
        found, quoted = _within_json(data, found)
    parts, counts, at = [], Counter[str](), 0
    for span in found:
        marker = b"[redacted:%s]" % span.kind.encode()
        parts += [data[at : span.start], b'"%s"' % marker if span in quoted else marker]
        counts[span.kind] += 1
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


def _within_json(data: bytes, spans: list[Span]) -> tuple[list[Span], set[Span]]:
    """What of the spans can be replaced, and which of that needs quotes around its marker."""
    kept, quoted, tokens = list[Span](), set[Span](), _tokens(data)
    token = next(tokens, None)
    for span in spans:
        while token and token[1] <= span.start:
            token = next(tokens, None)
        while token and token[0] < span.end:
            start, end, is_number, is_key = token
            if is_number:
                piece = span._replace(start=start, end=end)
                quoted.add(piece)
            else:
                piece = span._replace(
                    start=_whole(data, max(span.start, start + 1), end - 1),
                    end=_whole(data, min(span.end, end - 1), end - 1),
                )
            crosses = span.start <= start or span.end >= end
            if piece.start < piece.end and not (is_key and crosses) and kept[-1:] != [piece]:
                kept.append(piece)
            if end > span.end:
                break  # the next span may begin in the same string
            token = next(tokens, None)
    return kept, quoted & set(kept)


def _tokens(data: bytes) -> Iterator[tuple[int, int, bool, bool]]:
    """Strings and numbers of a JSON text: start, end, whether a number, whether a key."""
    at = 0
    for string in STRING.finditer(data):
        for number in NUMBER.finditer(data, at, string.start()):
            yield *number.span(), True, False
        yield *string.span(), False, string.group(1) is not None
        at = string.end()
    for number in NUMBER.finditer(data, at):
        yield *number.span(), True, False


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
