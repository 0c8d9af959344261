"""What Claude Code's hooks are answered with: little, of the right session, and nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from frames.models import Anchor, Project
from search.context.briefing import AT_START, WITH_PROMPT
from search.indexing import reindex
from search.models import ContextBundle
from stackmemory.lib.tenancy import workspace_scope
from tests.pages import few_queries
from tests.test_hooks import Agent, anchor

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(acme, alice, by_words_alone) -> Agent:
    Project.unscoped.create(workspace=acme, slug="acme-api", name="Acme API")
    return Agent(acme, alice)


def said(answer: Any) -> str:
    return answer["hookSpecificOutput"]["additionalContext"] if answer else ""


def test_a_start_is_told_what_stands_and_which_session_it_is(agent, acme):
    anchor(acme, Project.unscoped.get(), "Amounts are in cents", type="CONSTRAINT")
    text = said(agent.hook("SessionStart", source="startup"))
    assert "- Amounts are in cents" in text
    assert "“0f3c-session”" in text
    bundle = ContextBundle.unscoped.get()
    assert (bundle.origin, bundle.session.source_id) == ("hook", "0f3c-session")
    assert bundle.text in text
    assert bundle.tokens <= AT_START


def test_a_prompt_is_told_what_fits_it_once_and_again_after_a_compaction(agent, acme, bob):
    project = Project.unscoped.get()
    agent.hook("SessionStart", source="startup")
    other = Agent(acme, bob)
    other.session = "bobs"
    other.asks("b1", "Webhook retries")
    other.calls("Edit", "t1", {"file_path": "webhook.py"}, {"ok": True})
    other.hook("Stop", stop_hook_active=False, last_assistant_message="Retries of webhooks wait.")
    anchor(acme, project, "Till receipts have a number", type="FACT")
    for number in range(12):
        anchor(acme, project, f"Unrelated matter {number}", type="FACT")
    reindex(workspace=acme)
    first = said(agent.asks("p1", "why do till receipts have a number"))
    assert "Till receipts have a number" in first
    assert "Unrelated" not in first
    assert said(agent.asks("p2", "why do till receipts have a number?")) == ""
    digest = said(agent.asks("p3", "how do webhooks retries wait"))
    assert "Retries of webhooks wait." in digest
    assert all(bundle.tokens <= WITH_PROMPT for bundle in ContextBundle.unscoped.all())
    agent.prompt = ""
    anchor(acme, project, "No floats", type="CONSTRAINT")
    again = said(agent.hook("SessionStart", source="compact"))
    assert "how do webhooks retries wait" in again, "the path it was on"
    assert "No floats" in again
    assert "Till receipts" in said(agent.asks("p4", "why do till receipts have a number!"))


def test_one_s_own_notes_are_no_news(agent, acme):
    agent.hook("SessionStart", source="startup")
    agent.asks("p1", "x")
    frame = Anchor(workspace=acme).workspace.frames.get(name="x")
    anchor(acme, frame.project, "I decided this", type="DECISION", frame=frame)
    assert agent.asks("p2", "y") == {}


def test_nothing_worth_saying_is_recorded_as_nothing(agent):
    assert agent.hook("SessionStart", source="startup") == {}
    assert agent.asks("p1", "hello") == {}
    assert not ContextBundle.unscoped.exists()


def test_a_failure_of_ours_loses_no_event(agent, acme, monkeypatch):
    def fails(*args: Any, **given: Any) -> None:
        raise RuntimeError("no context today")

    monkeypatch.setattr("stackmemory.hooks.at_start", fails)
    assert agent.hook("SessionStart", source="startup") == {}
    assert acme.events.filter(type="session_start").exists()


def test_a_prompt_asks_few_questions_of_the_database(agent, acme):
    project = Project.unscoped.get()
    agent.hook("SessionStart", source="startup")
    for number in range(40):
        anchor(acme, project, f"Webhook choice {number}", type="DECISION")
    with workspace_scope(acme.pk):
        pass
    reindex(workspace=acme)
    with few_queries(70):
        assert "Webhook choice" in said(agent.asks("p1", "webhook choice"))
