"""A JSON field that keeps the order of keys and the spelling of numbers, on both engines."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.json import Json, Jsonb


class OrderedJSONField(models.JSONField):
    """JSONField stored as PostgreSQL's `json` instead of `jsonb` (SQLite: text, as always).

    `jsonb` sorts keys, drops duplicates and refuses `\\u0000`; imported rows must come back as
    they were written. Given up: GIN indexes, containment and equality lookups, none of which
    these columns need.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        return "json" if connection.vendor == "postgresql" else super().db_type(connection)

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        prepped = super().get_db_prep_value(value, connection, prepared)
        return Json(prepped.obj, dumps=prepped.dumps) if isinstance(prepped, Jsonb) else prepped

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        # psycopg parses `json` by itself where Django expects text, so ask for text.
        if compiler.connection.vendor == "postgresql":
            return f"{sql}::text", params
        return super().select_format(compiler, sql, params)
