"""The hook script, for agents' machines to fetch: public, as it holds nothing of anybody."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

SCRIPT = Path(__file__).with_name("hook_script.py")


@cache
def _script() -> bytes:
    return SCRIPT.read_bytes()


def _etag(request: HttpRequest) -> str:
    return f'"{hashlib.sha256(_script()).hexdigest()[:32]}"'


@login_not_required
@require_safe
@condition(etag_func=_etag)
def hook_script(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(_script(), content_type="text/x-python; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="stackmemory-hook.py"'
    response["Cache-Control"] = "public, max-age=300"
    return response
