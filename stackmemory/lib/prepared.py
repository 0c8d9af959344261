"""Queries that are asked before every request: made into SQL once, then asked with other values.

To build a queryset and make SQL of it takes Django about a millisecond, several times what the
database takes to answer. Where every request asks the same that is worth saving; elsewhere it is
not. Made of the parts that QuerySet itself is made of (ModelIterable in django/db/models/query.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query import get_related_populators

ModelT = TypeVar("ModelT", bound=models.Model)


@dataclass(frozen=True, slots=True)
class _Made:
    """What one connection has made of a query."""

    sql: str
    values: tuple[Any, ...]  # of a value that is given at each asking, its name as a _Place
    compiler: Any
    converters: Any
    names: list[str]
    end: int
    related: list[Any]


@dataclass(frozen=True, slots=True)
class _Place:
    name: str


class Prepared(Generic[ModelT]):
    """`Prepared(build, slug="", person=UUID(int=0))`: `build` makes the queryset of such values.

    Values are text or UUIDs, compared with as they are; what is given here says only which. The
    queryset may follow foreign keys by select_related, and has no annotations.
    """

    def __init__(self, build: Callable[..., Any], **kinds: str | UUID) -> None:
        self.build = build
        # Values by which each is found again among the parameters of the SQL.
        self.samples = {
            name: UUID(int=2**127 + number) if isinstance(kind, UUID) else f"prepared {name}"
            for number, (name, kind) in enumerate(kinds.items())
        }

    def one(self, **values: str | UUID | None) -> ModelT | None:
        """The first row there is, if any; the query says so itself where there can be more."""
        connection = connections["default"]
        made = self._made(connection)
        with connection.cursor() as cursor:
            cursor.execute(made.sql, [_given(value, values, connection) for value in made.values])
            row = cursor.fetchone()
        if row is None:
            return None
        if made.converters:
            [row] = made.compiler.apply_converters([row], made.converters)
        row = tuple(row)
        found: ModelT = made.compiler.klass_info["model"].from_db(
            connection.alias, made.names, row[: made.end]
        )
        for each in made.related:
            each.populate(row, found)
        return found

    def _made(self, connection: BaseDatabaseWrapper) -> _Made:
        """Kept with the connection, for its converters are bound to it."""
        known: dict[Prepared[Any], _Made] = connection.__dict__.setdefault("sm_prepared", {})
        if self not in known:
            known[self] = self._make(connection)
        return known[self]

    def _make(self, connection: BaseDatabaseWrapper) -> _Made:
        compiler = self.build(**self.samples).query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        places = {
            _stored(sample, connection): _Place(name) for name, sample in self.samples.items()
        }
        select, fields = compiler.select, compiler.klass_info["select_fields"]
        start, end = fields[0], fields[-1] + 1
        assert start == 0, "annotations are not provided for"
        return _Made(
            sql=sql,
            values=tuple(places.get(value, value) for value in parameters),
            compiler=compiler,
            converters=compiler.get_converters(expression for expression, *_ in select),
            names=[expression.target.attname for expression, *_ in select[:end]],
            end=end,
            related=get_related_populators(  # type: ignore[call-arg]  # the stubs are of Django 6
                compiler.klass_info, select, connection.alias
            ),
        )


def _given(
    value: Any, values: dict[str, str | UUID | None], connection: BaseDatabaseWrapper
) -> Any:
    return _stored(values[value.name], connection) if isinstance(value, _Place) else value


def _stored(value: str | UUID | None, connection: BaseDatabaseWrapper) -> Any:
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value
