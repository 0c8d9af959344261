"""Doing a write once, however often it is asked for: the `Idempotency-Key` header.

The answer is kept in the transaction that did the work, so there is one exactly when the work is
done. While the first request runs, its transaction holds a lock of the key's name; whoever repeats
it meanwhile is told to come back. A killed process leaves neither lock nor row.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from stackmemory.lib.locks import try_transaction_lock
from stackmemory.lib.refusal import Conflict, Refusal
from stackmemory.lib.tenancy import system_scope
from workspaces.models import IdempotencyKey, Workspace

KEPT = timedelta(hours=24)
NAME = re.compile(r"[\x21-\x7e]{1,255}")


class BadName(Refusal):
    def __init__(self) -> None:
        super().__init__(
            "invalid",
            "An Idempotency-Key is 1 to 255 visible ASCII characters, for example a UUID.",
            field="Idempotency-Key",
        )


class InProgress(Conflict):
    """The first request of this name has not ended."""

    retry_after = 1

    def __init__(self) -> None:
        super().__init__(
            "in_progress",
            "A request with this Idempotency-Key is being carried out. Ask again in a second.",
            field="Idempotency-Key",
        )


class Reused(Refusal):
    """The name was used for another request."""

    status = 422

    def __init__(self) -> None:
        super().__init__(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Take a new one for each request.",
            field="Idempotency-Key",
        )


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadName


@dataclass(frozen=True)
class Named:
    """A request that was given a name by the caller's key. `fingerprint` says what it was."""

    workspace: Workspace
    api_key_id: uuid.UUID
    name: str
    fingerprint: str


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same."""
    digest = hashlib.sha256(f"{method} {path}\n".encode("utf-8", "surrogatepass"))
    digest.update(body)
    return digest.hexdigest()


def begin(named: Named) -> IdempotencyKey | None:
    """Hold the name until the transaction ends; the answer it was given before, if any.

    Raises InProgress and Reused.
    """
    if not try_transaction_lock(f"idempotency:{named.api_key_id}:{named.name}"):
        raise InProgress
    known = _rows(named).filter(created_at__gt=timezone.now() - KEPT).first()
    if known is not None and known.fingerprint != named.fingerprint:
        raise Reused
    return known


def keep(named: Named, status: int, body: str) -> None:
    """Remember the answer for a day."""
    _rows(named).filter(created_at__lte=timezone.now() - KEPT).delete()
    row = IdempotencyKey(**vars(named), status=status, body=body)
    IdempotencyKey.unscoped.bulk_create([row], ignore_conflicts=True)


def _rows(named: Named) -> Any:
    rows = IdempotencyKey.objects.in_workspace(named.workspace)
    return rows.filter(api_key_id=named.api_key_id, name=named.name)


def forget_answers(workspace: Workspace, ids: Sequence[str]) -> None:
    """Of things of these ids, which were erased: repetitions are told so, and not done anew."""
    body = {"error": {"code": "erased", "message": "What this made was erased here."}}
    rows = IdempotencyKey.objects.in_workspace(workspace)
    for start in range(0, len(ids), 50):
        said = Q()
        for each in ids[start : start + 50]:
            said |= Q(body__contains=each)
        rows.filter(said).update(status=410, body=json.dumps(body))


def forget() -> int:
    """For the worker: drop what is a day old."""
    with system_scope():
        rows = IdempotencyKey.objects.across_workspaces()
        old = rows.filter(created_at__lte=timezone.now() - KEPT)
        return int(old._raw_delete(old.db))
