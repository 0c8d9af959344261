"""What the types of the REST API have in common: strict input, plain output, pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

from django.conf import settings
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from stackmemory.lib.keyset import Beside, paginate
from stackmemory.lib.refusal import Refusal

T = TypeVar("T")
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
SKEW = timedelta(days=1)
MOST_JSON = 256 * 1024


class In(BaseModel):
    """A request's body: what it does not know is a mistake, and said so."""

    model_config = ConfigDict(extra="forbid")


class Out(BaseModel):
    """An answer. Made from rows by functions, not by reflection, so that it is quick."""


class Listed(Out, Generic[T]):
    """A page of a list."""

    items: list[T]
    next: str | None = Field(
        description="Give it as `cursor` to get the next page; null on the last one."
    )


class Paging(BaseModel):
    """Every list takes these."""

    cursor: str = Field("", description="`next` of the page before; empty for the first page.")
    limit: int = Field(50, ge=1, le=200, description="How many to give at most.")


def page(
    paging: Paging,
    queryset: models.QuerySet[Any],
    order: tuple[str, ...],
    out: Callable[[Any], T],
    beside: Beside | None = None,
) -> Listed[T]:
    """The page of a queryset that was asked for. Raises Refusal for a cursor of another list."""
    found = paginate(queryset, order=order, cursor=paging.cursor, size=paging.limit, beside=beside)
    if found.lost:
        raise Refusal(
            "invalid",
            "This is no cursor of this list. Take “next” of the page before, or leave it out.",
            field="cursor",
        )
    return Listed(items=[out(row) for row in found.items], next=found.next)


def _json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, allow_nan=False))
    except (ValueError, RecursionError):
        raise ValueError("a number is not finite, or it is nested too deeply") from None
    if size > MOST_JSON:
        raise ValueError(f"at most {MOST_JSON // 1024} KB; append the rest as events")
    return value


def _written(at: object) -> object:
    """A number would be taken for seconds or milliseconds, by its size."""
    if isinstance(at, int | float):
        raise ValueError("a time is written with its zone, as 2026-01-31T12:00:00Z")
    return at


def _sane(at: datetime) -> datetime:
    if at < EARLIEST:
        raise ValueError("the time is before the year 2000")
    if at > timezone.now() + SKEW:
        raise ValueError("the time is more than a day ahead of the server’s clock")
    return at


# NUL, which PostgreSQL refuses, becomes its visible stand-in, as everywhere (frames/incoming.py).
visible = AfterValidator(lambda text: text.replace("\0", "␀"))
Line = Annotated[str, StringConstraints(max_length=500), visible]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100), visible]
# What a list is filtered by.
Wanted = Line
# Our id of a thing, or the id its client gave it.
Ref = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    Field(description="Our id, or the `source_id` it was made with."),
]
SourceId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    Field(description="Your own id for it. Sent again, it gives what it became the first time."),
]
JsonObject = Annotated[dict[str, Any], AfterValidator(_json)]
Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
Moment = Annotated[
    Instant,
    AfterValidator(_sane),
    Field(description="With its zone, as 2026-01-31T12:00:00Z."),
]


def actor_of(request: HttpRequest) -> Any:
    """Who acts (workspaces.actor.Actor); the gate has let them in."""
    return request.actor  # type: ignore[attr-defined]


def absolute(path: str) -> str:
    """The address that people open."""
    return f"{settings.SITE_URL}{path}"
