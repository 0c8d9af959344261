"""The API's reference as a page: made on the server from the OpenAPI document, no script needed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja.openapi.docs import DocsBase


class DocsPage(DocsBase):
    def render_page(self, request: HttpRequest, api: Any, **kwargs: Any) -> HttpResponse:
        return render(request, "api/docs.html", {"schema": api.get_openapi_schema()})
