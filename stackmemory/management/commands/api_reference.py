"""The API's reference in docs/, from the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from stackmemory.api import api
from stackmemory.openapi import ERRORS
from stackmemory.reference import Entry, Row, entries

DOCS = Path(settings.BASE_DIR) / "docs"


class Command(BaseCommand):
    help = "Writes docs/openapi.json and the generated parts of docs/api.md."

    def handle(self, *args: Any, **options: Any) -> None:
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
            self.stdout.write(str(path.relative_to(settings.BASE_DIR)))


def files() -> dict[Path, str]:
    """What each file should say."""
    schema = api.get_openapi_schema()
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    page = _between(page, "errors", [f"| `{code}` | {words} |" for code, words in ERRORS.items()])
    page = _between(page, "reference", list(_reference(schema)))
    document = json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    return {DOCS / "api.md": page, DOCS / "openapi.json": document}


def _between(page: str, name: str, lines: list[str]) -> str:
    """The page with these lines between the marks of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = "\n".join([begin, *lines, end])
    return re.sub(f"{begin}.*{end}", lambda _: text, page, flags=re.DOTALL)


def _reference(schema: dict[str, Any]) -> Iterator[str]:
    for name, group in entries(schema).items():
        yield f"\n### {name}"
        for entry in group:
            yield from _entry(entry)


def _entry(entry: Entry) -> Iterator[str]:
    yield f"\n#### {entry.summary}\n"
    yield f"`{entry.method} {entry.path}` · needs `{entry.permission}`"
    if entry.words:
        yield f"\n{entry.words}"
    asked = [row for row in entry.parameters if row.name != "Idempotency-Key"] + entry.body
    if asked:
        yield "\n| Name | In | Holds | Meaning |\n|---|---|---|---|"
        for row in asked:
            yield _row(row)
    if entry.example:
        yield f"\n```json\n{entry.example}\n```"
    for code, words, rows in entry.answers:
        fields = ", ".join(f"`{row.name}`" for row in rows if "." not in row.name)
        yield f"\nAnswers `{code}` ({words}){': ' + fields if fields else ''}."


def _row(row: Row) -> str:
    needed = " (needed)" if row.required else ""
    holds, words = (text.replace("|", "\\|") for text in (row.type, row.words))
    return f"| `{row.name}`{needed} | {row.where} | {holds} | {words} |"
