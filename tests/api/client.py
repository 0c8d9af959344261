"""A caller of the API: a key, and JSON both ways."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from workspaces import api_keys
from workspaces.models import User, Workspace

# One for all: making a client reads every static file's name anew.
CLIENT = Client(raise_request_exception=False)


@dataclass
class Api:
    """`api.post("frames", {…})` is the response to POST /api/v1/frames with this key."""

    text: str = ""
    key: Any = None
    client: Client = CLIENT

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query, headers=self._headers())

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.send("DELETE", path, None, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Headers are given as Python names: idempotency_key="…"."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(
            method, f"/api/v1/{path}", data, "application/json", headers=self._headers() | named
        )

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.text}"} if self.text else {}


def key_for(workspace: Workspace, user: User | None, *scopes: str, **fields: Any) -> Api:
    """A caller with a new key that this person made."""
    key, text = api_keys.create(
        workspace=workspace, name="test", scopes=scopes, actor=user, **fields
    )
    return Api(text, key)


def error_of(response: Any) -> tuple[int, str, str | None]:
    """(status, code, field) of an answer that must be an error in the one shape."""
    body = response.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert {"code", "message"} <= set(error) <= {"code", "message", "field", "choices"}, error
    assert error["message"], error
    return response.status_code, error["code"], error.get("field")


def ok(response: Any, status: int = 200) -> Any:
    """The body of an answer that must be this one."""
    assert response.status_code == status, (response.status_code, response.content[:2000])
    return response.json() if response.content else None
