"""`/metrics` for Prometheus, and the middleware that counts what it tells.

Whoever asks needs METRICS_TOKEN as a bearer, or an address in METRICS_NETWORKS; for anybody else
there is nothing here.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from stackmemory import vitals
from stackmemory.lib import measures
from stackmemory.lib.tenancy import system_scope
from workspaces import pulse

logger = logging.getLogger(__name__)
# Worth a line in the log, in seconds.
SLOW = 2.0
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MeasureMiddleware:
    """Counts every answer by route and status. Stands outside of all that may refuse."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        took = time.perf_counter() - began
        # Patterns, not addresses: there are only so many.
        route = "/" + request.resolver_match.route if request.resolver_match else "(none)"
        method = request.method if request.method in METHODS else "OTHER"
        measures.requests.labels(method, route, response.status_code).inc()
        measures.request_seconds.labels(route).observe(took)
        if took >= SLOW or response.status_code >= 500:
            logger.warning(
                "%s answered with %s after %.2f s", route, response.status_code, took,
                extra={
                    "method": method, "route": route, "status": response.status_code,
                    "ms": round(took * 1000), "request_id": response.headers.get("X-Request-Id", ""),
                },
            )  # fmt: skip
        if workspace := getattr(request, "workspace", None):
            pulse.pulses.count(workspace.pk, took, failed=response.status_code >= 500)
        return response


def metrics(request: HttpRequest) -> HttpResponse:
    """All of it as text; 401 for a wrong token, 404 where no token would do."""
    if not _from_inside(request):
        if not settings.METRICS_TOKEN:
            return HttpResponse(status=404)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
        if scheme.lower() != "bearer" or not right:
            return HttpResponse(status=401, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)
        counted = generate_latest(registry)
    else:
        counted = generate_latest(REGISTRY)
    standing = CollectorRegistry()
    standing.register(_Standing())
    return HttpResponse(
        counted + generate_latest(standing),
        content_type=CONTENT_TYPE_LATEST,
        headers={"Cache-Control": "no-store"},
    )


def _from_inside(request: HttpRequest) -> bool:
    """Whether the address that connects, not one that a header claims, is of METRICS_NETWORKS."""
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
        return any(address in ipaddress.ip_network(n) for n in settings.METRICS_NETWORKS)
    except ValueError:
        return False


class _Standing(Collector):
    """What the database says when asked."""

    def describe(self) -> list[GaugeMetricFamily]:
        return []  # or registering would ask the database

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        up = GaugeMetricFamily("stackmemory_database_up", "Whether the database answers.")
        try:
            found = list(_of_database())
        except DatabaseError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from found


def _of_database() -> Iterator[GaugeMetricFamily]:
    with system_scope():
        backlog = vitals.backlog()
        jobs = GaugeMetricFamily("stackmemory_jobs", "Jobs there are, by state.", labels=["state"])
        for state, count in backlog["states"].items():
            jobs.add_metric([state], count)
        yield jobs
        yield _gauge("stackmemory_jobs_due", "Jobs a worker could begin now.", backlog["due"])
        yield _gauge(
            "stackmemory_jobs_age_seconds", "How long the longest due job has waited.",
            backlog["age"],
        )  # fmt: skip
        yield _gauge("stackmemory_database_bytes", "Size of the database.", vitals.size())
        ahead = vitals.months_ahead()
        if ahead is not None:
            yield _gauge(
                "stackmemory_partitions_ahead", "Months to come that events have a place for.",
                ahead,
            )  # fmt: skip
            used, most = vitals.connections()
            yield _gauge(
                "stackmemory_database_connections", "Connections to this database.",
                sum(count for _, _, count in used),
            )  # fmt: skip
            yield _gauge("stackmemory_database_connections_max", "As many there may be.", most)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
