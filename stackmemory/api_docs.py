"""The API's reference as a page: made on the server from the OpenAPI document, no script needed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja.openapi.docs import DocsBase

from stackmemory.openapi import ERRORS
from stackmemory.reference import entries


class DocsPage(DocsBase):
    def render_page(self, request: HttpRequest, api: Any, **kwargs: Any) -> HttpResponse:
        schema = api.get_openapi_schema()
        context = {
            "schema": schema,
            "introduction": [
                line.removeprefix("- ") for line in schema["info"]["description"].split("\n- ")
            ],
            "groups": [(name, found) for name, found in entries(schema).items()],
            "errors": ERRORS,
        }
        return render(request, "api/docs.html", context)
