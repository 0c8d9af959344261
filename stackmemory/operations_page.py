"""The operators' page: what is slow, what is large, what waits."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from stackmemory import vitals
from stackmemory.lib.tenancy import system_scope


@require_safe
def operations(request: HttpRequest) -> HttpResponse:
    """For whoever may open the admin. Statements are asked for outside of any scope: PostgreSQL
    shows each role its own, and the application's are what one wants to see.
    """
    if not request.user.is_staff:
        raise PermissionDenied
    statements, why_none = vitals.slowest()
    with system_scope():
        used, most = vitals.connections()
        context = {
            **admin.site.each_context(request),
            "title": "Operations",
            "engine": connection.vendor,
            "statements": statements,
            "why_none": why_none,
            "backlog": vitals.backlog(),
            "connections": used,
            "used": sum(count for _, _, count in used),
            "most": most,
            "size": vitals.size(),
            "tables": vitals.tables(),
            "indexes": vitals.indexes(),
            "partitions": vitals.partition_list(),
            "ahead": vitals.months_ahead(),
            "cold": vitals.cold_months(),
        }
    return render(request, "admin/operations.html", context)
