"""Columns that each engine stores its own way: terms to look up, vectors to compare."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

LEXEME = re.compile(r"'((?:[^']|'')*)'(?::([\d,A-D]+))?")
# tsvector keeps positions up to here, and at most 256 of a lexeme.
LAST_POSITION, MOST_POSITIONS = 16_383, 256


class TermsField(models.Field):
    """A bag of terms (search/analyze.py): PostgreSQL's tsvector, on SQLite text for FTS5.

    Written as a list of terms in order, read as a Counter.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "tsvector" if connection.vendor == "postgresql" else "text"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        if value is None or isinstance(value, str):
            return value
        if connection.vendor == "postgresql":
            return tsvector(value)
        # FTS5 splits at signs; one kind of sign stands for all inside an identifier.
        return " ".join(value)

    def get_placeholder(self, value: Any, compiler: Any, connection: BaseDatabaseWrapper) -> str:
        return "%s::tsvector" if connection.vendor == "postgresql" else "%s"

    def from_db_value(self, value: str | None, *args: Any) -> Counter[str]:
        if not value:
            return Counter()
        if not value.startswith("'"):
            return Counter(value.split(" "))
        found = LEXEME.findall(value)
        return Counter(
            {t.replace("''", "'"): places.count(",") + 1 if places else 1 for t, places in found}
        )


def tsvector(terms: list[str]) -> str:
    """Terms in tsvector's input syntax, with positions: no parser of PostgreSQL's has a say."""
    places: dict[str, list[int]] = {}
    for number, term in enumerate(terms, start=1):
        where = places.setdefault(term, [])
        if len(where) < MOST_POSITIONS:
            where.append(min(number, LAST_POSITION))
    return " ".join(
        "'{}':{}".format(term.replace("\\", "\\\\").replace("'", "''"), ",".join(map(str, at)))
        for term, at in places.items()
    )


class HalfVectorField(models.Field):
    """A unit vector: pgvector's halfvec, on SQLite a float32 BLOB. In Python a float32 array."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "halfvec" if connection.vendor == "postgresql" else "blob"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        if value is None or isinstance(value, str | bytes):
            return value
        array = np.asarray(value, dtype=np.float32)
        if connection.vendor == "postgresql":
            return "[" + ",".join(f"{x:.6g}" for x in array.tolist()) + "]"
        return array.tobytes()

    def get_placeholder(self, value: Any, compiler: Any, connection: BaseDatabaseWrapper) -> str:
        return "%s::halfvec" if connection.vendor == "postgresql" else "%s"

    def from_db_value(self, value: Any, *args: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, str):
            return np.fromstring(value.strip("[]"), sep=",", dtype=np.float32)
        return np.frombuffer(value, dtype=np.float32)
