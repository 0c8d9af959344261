"""Enqueueing jobs: after commit, and with ids only."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction
from django_q.tasks import async_task


def enqueue(job: str, *ids: UUID | str) -> None:
    """Run `job` (a dotted path to a function of ids and words) in a worker once this transaction commits.

    The row an id names is the truth; a job only nudges, may run twice and must bear it.
    """
    transaction.on_commit(partial(async_task, job, *map(str, ids)))
