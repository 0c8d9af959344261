"""The hook script and the command, for machines to fetch: public, as they hold nothing of anybody."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

SCRIPT = Path(__file__).with_name("hook_script.py")
CLI = Path(__file__).with_name("cli")
MAIN = "import sys\n\nfrom stackmemory.cli.main import main\n\nsys.exit(main())\n"
# Always the same, so that the same code makes the same file.
MOMENT = (1980, 1, 1, 0, 0, 0)


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


@cache
def _command() -> bytes:
    """The `stackmemory` command as one file that Python runs (the zipapp format)."""
    parts = {f"stackmemory/cli/{path.name}": path.read_text() for path in sorted(CLI.glob("*.py"))}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {"__main__.py": MAIN, "stackmemory/__init__.py": "", **parts}.items():
            archive.writestr(zipfile.ZipInfo(name, MOMENT), text, zipfile.ZIP_DEFLATED)
    return b"#!/usr/bin/env python3\n" + out.getvalue()


def _command_etag(request: HttpRequest) -> str:
    return f'"{hashlib.sha256(_command()).hexdigest()[:32]}"'


@login_not_required
@require_safe
@condition(etag_func=_command_etag)
def command(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(_command(), content_type="application/octet-stream")
    response["Content-Disposition"] = 'attachment; filename="stackmemory.pyz"'
    response["Cache-Control"] = "public, max-age=300"
    return response
