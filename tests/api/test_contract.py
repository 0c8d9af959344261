"""The contract: what the OpenAPI document says is what is kept in docs/, and what is done."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from ninja.openapi.schema import OpenAPISchema

from stackmemory.api import api
from stackmemory.management.commands.api_reference import DOCS, files
from stackmemory.openapi import operations
from stackmemory.reference import entries
from tests.api.client import ok

RUN = "run `manage.py api_reference`, and look at what it changes: others have written against it"


@pytest.mark.parametrize("name", ["openapi.json", "api.md"])
def test_docs_say_what_the_code_does(name):
    assert (DOCS / name).read_text() == files()[DOCS / name], RUN


def test_the_document_and_the_page_are_open_to_everybody(db):
    document = Client().get("/api/v1/openapi.json")
    assert ok(document) == json.loads((DOCS / "openapi.json").read_text()), RUN
    page = Client().get("/api/v1/docs")
    assert page.status_code == 200
    text = page.content.decode()
    for group in entries(api.get_openapi_schema()).values():
        for entry in group:
            assert f'id="{entry.id}"' in text
    assert len(page.content) < 400_000


def test_the_page_needs_no_script_and_nothing_from_elsewhere(db):
    text = Client().get("/api/v1/docs").content.decode()
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bstyle=|\son\w+=", text)


def test_every_operation_has_a_name_of_its_own():
    names = [entry.id for group in entries(api.get_openapi_schema()).values() for entry in group]
    assert len(names) == len(set(names))
    assert len(names) == len(operations(api))


def test_every_type_has_a_name_of_its_own(monkeypatch):
    """The library lets the later of two types of one name hide the earlier one."""
    seen: dict[str, Any] = {}

    def add(self: OpenAPISchema, definitions: dict[str, Any]) -> None:
        for name, definition in definitions.items():
            assert seen.setdefault(name, definition) == definition, f"two types are called {name}"
        self.schemas.update(definitions)

    monkeypatch.setattr(OpenAPISchema, "add_schema_definitions", add)
    OpenAPISchema(api, "api/v1")
    assert len(seen) > 40


def test_every_operation_and_parameter_is_explained():
    for group in entries(api.get_openapi_schema()).values():
        for entry in group:
            assert entry.summary
            assert entry.permission
            for row in entry.parameters:
                assert row.words, (entry.id, row.name)


@pytest.mark.django_db
def test_examples_can_be_sent_as_they_are(admin, alice, bob, frame):
    """Those of the reference, with the ids of things there are."""
    ids = {"project": "shop", "frame": frame["id"]}
    task = ok(admin.post("tasks", {"title": "x"}), 201)["id"]
    anchor = ok(admin.post("anchors", {"text": "x"}), 201)["id"]
    session = ok(admin.post("sessions", {"project": "shop"}), 201)["id"]
    ids |= {"task": task, "anchor": anchor, "session": session, "on": task}
    for group in entries(api.get_openapi_schema()).values():
        for entry in group:
            if not entry.example or not set(re.findall(r"{(\w+)}", entry.path)) <= set(ids):
                continue
            path = re.sub(r"{(\w+)}", lambda m: ids[m[1]], entry.path).removeprefix("/api/v1/")
            body = entry.example.replace("01a20113-91e4-7b36-922f-7c9b0a337914", frame["id"])
            status = admin.send(entry.method, path, body.encode()).status_code
            assert status in (200, 201, 404, 409), (entry.id, body, status)
