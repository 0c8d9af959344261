"""Logs are lines that a machine reads, and say which request they belong to."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils.module_loading import import_string


def written(formatter: str) -> tuple[logging.Handler, io.StringIO]:
    """A handler as settings.LOGGING makes it, and what it writes to."""
    stream = io.StringIO()
    made = dict(settings.LOGGING["formatters"][formatter])
    kind = import_string(made.pop("()"))
    handler = logging.StreamHandler(stream)
    handler.setFormatter(kind(made.get("format")))
    handler.addFilter(import_string(settings.LOGGING["filters"]["request"]["()"])())
    return handler, stream


@pytest.fixture
def lines() -> Any:
    """lines() are the records of the block so far, as JSON."""
    handler, stream = written("json")
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]
    root.removeHandler(handler)


def test_a_record_is_one_line_with_what_it_was_given(lines):
    try:
        raise ValueError("no\nway")
    except ValueError:
        logging.getLogger("x").exception("It\nbroke: %s", "ü", extra={"job": 7, "what": object()})
    [line] = lines()
    assert (line["message"], line["level"], line["logger"], line["job"]) == (
        "It\nbroke: ü", "ERROR", "x", 7,
    )  # fmt: skip
    assert "ValueError: no\nway" in line["error"]
    assert line["at"].endswith("Z")
    assert "what" not in line
    assert "request_id" not in line


def test_records_of_a_request_carry_its_id(lines, db, monkeypatch):
    monkeypatch.setattr("stackmemory.metrics.SLOW", 0)
    response = Client().get("/api/v1/me", headers={"X-Request-Id": "mine-1"})
    assert response["X-Request-Id"] == "mine-1"
    slow = [line for line in lines() if line["logger"] == "stackmemory.metrics"]
    assert [(line["request_id"], line["route"], line["status"]) for line in slow] == [
        ("mine-1", "/api/v1/me", 401)
    ]
    assert {line.get("request_id") for line in lines()} == {"mine-1"}
    logging.getLogger("x").warning("afterwards")
    assert "request_id" not in lines()[-1]


def test_lines_for_people_end_with_the_id():
    handler, stream = written("line")
    record = logging.makeLogRecord({"name": "x", "msg": "hello\nworld", "request_id": "r1"})
    handler.handle(record)
    assert stream.getvalue().endswith("hello [r1]\nworld\n")
