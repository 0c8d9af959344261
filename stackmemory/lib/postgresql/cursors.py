"""Cursors that take along what their connection holds back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db.backends.postgresql import base


@dataclass(slots=True)
class Held:
    """Statements that wait for the next one. `matters` if more is lost with them than a beginning."""

    words: list[str] = field(default_factory=list)
    matters: bool = False

    def add(self, text: str, *, matters: bool) -> None:
        self.words.append(text)
        self.matters = self.matters or matters

    def take(self) -> list[str]:
        words, self.words, self.matters = self.words, [], False
        return words


def held_by(connection: psycopg.Connection[Any]) -> Held:
    """What this session holds back."""
    held: Held | None = getattr(connection, "sm_held", None)
    if held is None:
        held = connection.sm_held = Held()  # type: ignore[attr-defined]
    return held


class _Sending:
    """Whatever a cursor sends, what was held back goes before it."""

    connection: Any

    def _send_held(self) -> None:
        if words := held_by(self.connection).take():
            with psycopg.ClientCursor(self.connection) as cursor:
                cursor.execute("; ".join(words))

    def executemany(self, *given: Any, **named: Any) -> Any:
        self._send_held()
        return super().executemany(*given, **named)  # type: ignore[misc]

    @contextmanager
    def copy(self, *given: Any, **named: Any) -> Iterator[Any]:
        self._send_held()
        with super().copy(*given, **named) as copying:  # type: ignore[misc]
            yield copying

    def stream(self, *given: Any, **named: Any) -> Any:
        self._send_held()
        return super().stream(*given, **named)  # type: ignore[misc]


class Cursor(_Sending, base.Cursor):  # type: ignore[misc]
    """Binds on our side of the wire, as Django's does, so that one message may hold several."""

    def execute(self, query: Any, params: Any = None, **named: Any) -> Any:
        words = held_by(self.connection).take()
        if not words:
            return super().execute(query, params, **named)  # type: ignore[misc]
        text = query if isinstance(query, str) and params is None else self.mogrify(query, params)  # type: ignore[attr-defined]
        super().execute("; ".join([*words, text]), **named)  # type: ignore[misc]
        for _ in words:
            self.nextset()  # type: ignore[attr-defined]
        return self


class BindingCursor(_Sending, base.ServerBindingCursor):
    """Values go beside the statement, neither quoted nor parsed with it."""

    def execute(self, query: Any, params: Any = None, **named: Any) -> Any:
        self._send_held()
        return super().execute(query, params, **named)  # type: ignore[misc]
