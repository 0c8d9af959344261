"""What a hook hands to the model: at the start of a run what stands, with a prompt what it lacks.

Short, quick, and nothing where there is nothing worth saying: each line costs room in every run.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from frames.models import AgentSession
from search.context.candidates import Wanted
from search.context.compile import compile_context, given_to
from search.models import ContextBundle
from workspaces.actor import Actor

AT_START, WITH_PROMPT = 1_100, 500
STANDS = frozenset({"rules", "anchors", "others"})
# Where the client has forgotten what it did, it is told that too.
REGAINED = STANDS | {"path", "digests", "events"}
RELEVANT = frozenset({"rules", "anchors", "digests"})
# With a prompt only what answers it about as well as the best.
CLOSE = 0.6


def at_start(actor: Actor, session: AgentSession, *, forgot: bool) -> str:
    """For a run that begins, or that goes on after its memory was cut (`forgot`)."""
    wanted = Wanted(parts=REGAINED if forgot else STANDS, by_meaning=False)
    bundle = _compiled(actor, session, "", AT_START, wanted)
    if bundle is None:
        return ""
    return (
        f"{bundle.text}\nIn StackMemory’s tools this run is session"
        f" “{session.source_id or session.pk}”; pass it as `session`."
    )


def with_prompt(actor: Actor, session: AgentSession, prompt: str, since: datetime) -> str:
    """What others noted after `since`, and what fits the prompt; nothing twice in a run."""
    wanted = Wanted(
        parts=RELEVANT, since=since, relevance=CLOSE, given=given_to(session),
        # A remote model must not be waited for here, nor asked where events are appended.
        by_meaning=settings.EMBEDDINGS == "local",
    )  # fmt: skip
    bundle = _compiled(actor, session, prompt, WITH_PROMPT, wanted)
    return bundle.text if bundle else ""


def _compiled(
    actor: Actor, session: AgentSession, query: str, budget: int, wanted: Wanted
) -> ContextBundle | None:
    bundle = compile_context(
        actor=actor, project=session.project, session=session, query=query, budget=budget,
        origin=ContextBundle.Origin.HOOK, wanted=wanted, keep_empty=False,
    )  # fmt: skip
    return bundle if bundle.items else None
