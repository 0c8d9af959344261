"""The size of a text in bytes, asked of the database without fetching the text."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.sql.compiler import SQLCompiler


class Octets(models.Func):
    """`octet_length(text)`: on PostgreSQL read from the row's header, however long the text."""

    function = "octet_length"
    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **context: Any) -> Any:
        # octet_length() came with SQLite 3.43; length() alone counts characters.
        return super().as_sql(
            compiler, connection, template="length(CAST(%(expressions)s AS BLOB))", **context
        )
