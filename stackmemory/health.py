"""Two answers for balancers and orchestrators.

`/healthz` is about the process alone: 200 as long as it answers at all. `/readyz` is about what
it needs to serve (database, migrations, months for events): 200, or 503 with what is wrong and
the mend.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse

from frames import partitions
from stackmemory.metrics import metrics

logger = logging.getLogger(__name__)


class Problem(NamedTuple):
    check: str
    problem: str
    mend: str


class ProbeMiddleware:
    """Answers the probes before any other middleware looks at the request.

    A probe comes by address instead of name, without TLS, cookies or a person, so host check,
    redirect and login would each turn it away. It has to be the first middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = ANSWERS.get(request.path_info)
        return answer(request) if answer else self.get_response(request)


def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})


def readyz(request: HttpRequest) -> HttpResponse:
    found = problems()
    return JsonResponse(
        {
            "status": "not ready" if found else "ready",
            "read_only": settings.READ_ONLY,
            "problems": [problem._asdict() for problem in found],
        },
        status=503 if found else 200,
        headers={"Cache-Control": "no-store"},
    )


ANSWERS: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


def problems() -> list[Problem]:
    """What keeps this process from serving; the first failing step hides the later ones."""
    try:
        return _migrations() or _partitions()
    except DatabaseError:
        logger.exception("The database does not answer")
        return [
            Problem(
                "database",
                "The database does not answer.",
                "Check that it runs and that DATABASE_URL names it; the log has its words.",
            )
        ]


def _migrations() -> list[Problem]:
    waiting = sorted(_known_migrations() - set(MigrationRecorder(connection).applied_migrations()))
    if not waiting:
        return []
    names = ", ".join(f"{app}.{name}" for app, name in waiting[:5])
    more = f" and {len(waiting) - 5} more" if len(waiting) > 5 else ""
    return [Problem("migrations", f"Not applied: {names}{more}.", "Run: python manage.py migrate")]


def _partitions() -> list[Problem]:
    return [
        Problem(
            "partitions",
            f"Events of {month:%Y-%m} have no partition to go to.",
            "Run: python manage.py maintain_partitions",
        )
        for month in partitions.missing()
    ]


@lru_cache(maxsize=1)
def _known_migrations() -> frozenset[tuple[str, str]]:
    """Every migration of the installed code; reading the files once is enough."""
    return frozenset(MigrationLoader(None).graph.nodes)
