"""Which tables of an installation are copied, in which order, and how their values travel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import TextField
from django.db.models.functions import Cast

from stackmemory.archive.contents import LEFT_OUT, MADE_ANEW
from stackmemory.lib.jsontext import OrderedJSONField

AT_ONCE = 1000
FEW = {"frames.Frame": 50, "frames.KeptRow": 100, "frames.TransferItem": 100}
# Worth nothing elsewhere, or made anew there: search by its worker, the rest at once.
SKIPPED = frozenset(
    {label for label, why in LEFT_OUT.items() if why == MADE_ANEW}
    | {"workspaces.Bucket", "workspaces.News", "stackmemory.CacheEntry"}
)
# What `migrate` itself puts into an empty database.
SEEDED = frozenset(
    {"contenttypes.ContentType", "auth.Permission", "django_q.Schedule", "workspaces.PlanLimit",
     "workspaces.AttemptLimit", "stackmemory.Job"}
)  # fmt: skip


class Table:
    """One table: its model and how its rows are read, written and compared."""

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model
        self.label = model._meta.label
        self.name = model._meta.db_table
        self.fields: list[Any] = list(model._meta.concrete_fields)
        self.pk: Any = model._meta.pk
        self.size = FEW.get(self.label, AT_ONCE)

    @cached_property
    def own(self) -> list[Any]:
        """Columns that name a row of the same table: written when all rows are there."""
        return [f for f in self.fields if f.related_model is self.model]

    def columns(self, connection: BaseDatabaseWrapper) -> str:
        return ", ".join(connection.ops.quote_name(field.column) for field in self.fields)

    def rows(self, using: str) -> Any:
        """Its rows as tuples in the order of `fields`, ordered by key."""
        picked = [
            Cast(field.name, TextField()) if isinstance(field, OrderedJSONField) else field.attname
            for field in self.fields
        ]
        return self.model._base_manager.using(using).order_by("pk").values_list(*picked)

    def key(self, row: Sequence[Any]) -> Any:
        return row[self.fields.index(self.pk)]

    def stored(self, row: Sequence[Any], connection: BaseDatabaseWrapper) -> list[Any]:
        """The values as the target's driver takes them."""
        values: list[Any] = []
        for field, value in zip(self.fields, row, strict=True):
            if field in self.own or value is None:
                values.append(None)
            elif isinstance(field, OrderedJSONField):
                values.append(value)
            else:
                values.append(field.get_db_prep_save(value, connection))
        return values


def tables() -> list[Table]:
    """Every table that is copied, each after those that it refers to."""
    left = [
        Table(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.label not in SKIPPED
    ]
    ordered: list[Table] = []
    while left:
        waiting = {table.model for table in left}
        free = [t for t in left if not (_targets(t.model) - {t.model}) & waiting]
        if not free:
            raise RuntimeError(f"tables refer to each other in a circle: {[t.label for t in left]}")
        ordered += free
        left = [table for table in left if table not in free]
    return ordered


def digest(row: Sequence[Any]) -> int:
    """A row's SHA-256 as a number: added up, they tell whether two tables hold the same rows."""
    text = json.dumps([_plain(value) for value in row], sort_keys=True, ensure_ascii=False)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), "big")


def _targets(model: type[models.Model]) -> set[Any]:
    return {f.related_model for f in model._meta.concrete_fields if f.is_relation}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, UUID | date | Decimal | timedelta):
        return str(value)
    return value
