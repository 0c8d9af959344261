"""Limits over MCP: the quota is said in-band and reading goes on; too many requests are 429."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from frames.models import Project
from workspaces import api_keys
from workspaces.models import Limit


@pytest.fixture
def send(acme, bob):
    """send(tool, **arguments) posts a call and gives the response."""
    Project.unscoped.create(workspace=acme, slug="api", name="Api")
    _, key = api_keys.create(workspace=acme, name="k", scopes=["read", "write"], actor=bob)
    client = Client(headers={"Authorization": f"Bearer {key}"})

    def post(tool: str, /, **arguments: Any) -> Any:
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return client.post("/mcp", message, content_type="application/json")

    return post


def test_when_the_quota_is_used_up_reading_goes_on(acme, send):
    Limit.unscoped.create(workspace=acme, name="events_per_month", amount=2)
    send("start_frame", name="Work", session="s")
    events = [{"type": "note"}] * 2
    assert not send("append_events", events=events, session="s").json()["result"]["isError"]
    for tool, arguments in {
        "append_events": {"events": events},
        "start_frame": {"name": "More"},
        "add_decision": {"content": "More"},
    }.items():
        response = send(tool, session="s", **arguments)
        result = response.json()["result"]
        assert (response.status_code, result["isError"]) == (200, True)
        error = json.loads(result["content"][0]["text"])["error"]
        assert error["code"] == "quota_exceeded"
        assert "Reading goes on" in error["message"]
    stack = send("get_hot_stack", session="s").json()["result"]
    assert [each["frame"]["name"] for each in stack["structuredContent"]["stack"]] == ["Work"]


def test_too_many_requests_are_told_when_to_come_back(acme, send):
    Limit.unscoped.create(workspace=acme, name="requests_per_minute", amount=2)
    first = send("list_frames")
    assert (first.status_code, first["X-RateLimit-Limit"]) == (200, "2")
    assert send("list_frames").status_code == 200
    response = send("list_frames")
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert response.json()["error"]["data"]["code"] == "rate_limited"
