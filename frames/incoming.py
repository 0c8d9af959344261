"""What a client sends as it may be stored: without secrets, and holdable by both engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from frames.redact import redactor_for
from stackmemory.lib.refusal import Refusal
from workspaces.models import Workspace

LONGEST_ID = 500


def plain(text: str) -> str:
    """NUL and half characters become visible stand-ins: no engine column takes them."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "␀").encode("utf-8", "replace").decode()


def text_in(workspace: Workspace, text: str) -> str:
    return redactor_for(workspace).redact(plain(text))[0]


def texts_in(workspace: Workspace, texts: Sequence[str]) -> list[str]:
    return [text_in(workspace, text) for text in texts]


def json_in(workspace: Workspace, value: Any) -> Any:
    """A JSON value, keys and all."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if "\\u0000" in text or not _encodable(text):
        value = _plain(value)
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    redacted, found = redactor_for(workspace).redact(text)
    return json.loads(redacted) if found else value


def source_id_in(source_id: str | None) -> str | None:
    """The client's own id of a thing. Raises Refusal."""
    if source_id is not None and not 0 < len(source_id) <= LONGEST_ID:
        raise Refusal("invalid", f"At most {LONGEST_ID} characters, not empty.", field="source_id")
    return source_id if source_id is None else plain(source_id)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): _plain(item) for key, item in value.items()}
    return value
