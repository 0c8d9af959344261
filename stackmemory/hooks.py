"""Where coding agents' hooks report, and get context in return."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from ninja import Router

from frames.capture import claude_code
from frames.capture.keeping import Kept, Sent, keep
from frames.models import AgentSession
from search.context.briefing import at_start, with_prompt
from stackmemory.lib.contract import actor_of
from stackmemory.lib.operations import permits
from stackmemory.lib.refusal import Refusal
from workspaces.actor import Actor

logger = logging.getLogger(__name__)
router = Router(tags=["Capture"])
MOST_BYTES = 16 * 1024 * 1024
# Only these two may hand text to the model.
ANSWERED = ("SessionStart", "UserPromptSubmit")
INPUT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "What the client gives its hook, unchanged. Unknown events and fields are kept.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "hook_event_name": {"type": "string"},
                        "session_id": {"type": "string"},
                        "cwd": {"type": "string"},
                    },
                    "additionalProperties": True,
                }
            }
        },
    },
    "responses": {
        "200": {
            "description": "What the client expects of a hook: `{}`, or context for the model.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
}


@router.post("/hooks/claude-code", summary="Report a hook of Claude Code", openapi_extra=INPUT)
@permits("write", once=False, most_bytes=MOST_BYTES)
def report_claude_code(request: HttpRequest) -> Any:
    """Keep what the hook says in the session it is of; the same thing sent again changes nothing.

    `X-StackMemory-At` (ISO time), `-Delivery` (an id of this call of the hook), `-Project`,
    `-Branch` and `-Host` may say more than the client does.
    """
    actor = actor_of(request)
    hook = claude_code.read(_parsed(request.body))
    kept = keep(actor=actor, hook=hook, sent=_sent(request))
    return JsonResponse(_answer(actor, hook, kept))


def _answer(actor: Actor, hook: claude_code.Hook, kept: Kept) -> dict[str, Any]:
    """What the team remembers, for a session that begins; for a prompt what is new or fits it."""
    if hook.name not in ANSWERED or hook.agent or not kept.created or kept.session is None:
        return {}
    try:
        with transaction.atomic():
            text = _context(actor, hook, kept.session, kept.seen_before)
    except Exception:  # whatever it is, what the hook reported is kept
        logger.exception("No context could be compiled for a hook")
        return {}
    if not text:
        return {}
    return {"hookSpecificOutput": {"hookEventName": hook.name, "additionalContext": text}}


def _context(
    actor: Actor, hook: claude_code.Hook, session: AgentSession, seen_before: datetime | None
) -> str:
    if hook.name == "UserPromptSubmit" and seen_before is not None:
        return with_prompt(actor, session, hook.text("prompt"), seen_before)
    return at_start(actor, session, forgot=hook.text("source") == "compact")


def _parsed(body: bytes) -> Any:
    try:
        # Not stricter than need be: half characters and NaN are kept as they can be.
        return json.loads(body.decode("utf-8", "replace"), parse_constant=str)
    except (ValueError, RecursionError):
        raise Refusal("invalid", "The body is not JSON that can be read.", field="body") from None


def _sent(request: HttpRequest) -> Sent:
    def header(name: str) -> str:
        return request.headers.get(f"X-StackMemory-{name}", "")[:255]

    try:
        at = datetime.fromisoformat(header("At"))
    except ValueError:
        at = None
    return Sent(at, header("Delivery"), header("Project"), header("Branch"), header("Host"))
