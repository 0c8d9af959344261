"""What work weighs: the published formula, a project's own weights, and the page that tries them."""

from __future__ import annotations

import pytest
from django.urls import reverse

from frames.appending import EventIn, append_batch
from frames.jobs import rescore, score_missing
from frames.models import Frame, Project
from frames.scoring import BASES, Weights, call_score, frame_score, kind_of
from search.models import Document
from stackmemory.lib.tenancy import workspace_scope
from tests.pages import few_queries
from workspaces.models import Audit

USUAL = Weights()


@pytest.mark.parametrize(
    ("kind", "files", "references", "score"),
    [
        ("search", 0, 0, 0.38),
        ("read", 0, 0, 0.10),
        ("write", 5, 50, 0.75 * 0.4 + 0.5 * 0.3 + 0.04 + 0.05),
        ("edit", 99, 9_999, 0.5 * 0.4 + 0.3 + 0.04 + 0.1),
        ("", 0, 0, 0.2),
    ],
)
def test_a_call_by_the_formula(kind, files, references, score):
    assert call_score(kind, USUAL, files=files, references=references) == pytest.approx(score)
    heavy = Weights(base=1, impact=1, persistence=1, reference=1)
    assert call_score(kind, heavy, files=99, references=999) <= 1


def test_tools_by_what_they_do():
    named = {
        "Edit": "edit", "MultiEdit": "edit", "Write": "write", "Bash": "bash", "Grep": "grep",
        "Glob": "grep", "Read": "read", "WebSearch": "search", "TodoWrite": "task_creation",
        "mcp__stackmemory__add_decision": "decision_recording", "get_context": "context_retrieval",
        "Unheard": "", "": "",
    }  # fmt: skip
    assert {tool: kind_of(tool) for tool in named} == named


def test_a_frame_by_its_digest():
    digest = {
        "outcome": "done", "events": 100, "tool_calls": {"Read": 9, "Edit": 1},
        "files": [f"{n}.py" for n in range(10)], "errors": [], "decisions": [], "tests": [],
    }  # fmt: skip
    score = 0.5 * 0.4 + 0.3 + 0.04 + 0.1
    assert frame_score(digest, USUAL) == pytest.approx(score)
    assert frame_score(digest | {"errors": ["no"]}, USUAL) == pytest.approx(score + 0.1), "mended"
    failed = digest | {"errors": ["no"], "outcome": "failed"}
    assert frame_score(failed, USUAL) == pytest.approx(score - 0.1)
    decided = digest | {"decisions": ["a", "b"]}
    assert frame_score(decided, USUAL) == pytest.approx(0.9 * 0.4 + 0.3 + 0.04 + 0.1 + 0.1)
    assert frame_score(digest | {"decisions": ["a"] * 50}, USUAL) == 1
    for odd in (None, {}, [], "text", {"result": "imported"}, {"outcome": 3, "tool_calls": [1]}):
        assert frame_score(odd, USUAL) is None or 0 <= frame_score(odd, USUAL) <= 1


def test_what_is_stored_and_cannot_be_a_weight_is_as_usual():
    stored = {"base": 2, "impact": "x", "reference": True, "bases": {"edit": None, "read": 0.3}}
    weights = Weights.of(Project(settings={"scoring": stored}))
    assert (weights.base, weights.impact, weights.reference) == (0.4, 0.3, 0.1)
    assert weights.bases == BASES | {"read": 0.3}
    assert Weights.of(Project(settings={"scoring": [1]})) == USUAL
    assert Weights.of(Project(settings={"scoring": weights.stored()})) == weights


@pytest.fixture
def closed(run):
    """Two closed frames: one that read, one that wrote."""
    for name, tool, path in (("Look around", "Read", "a.py"), ("Build it", "Write", "b.py")):
        frame = run.begin(name)
        run.store.say(frame, "x")
        call = {"tool_name": tool, "tool_use_id": name, "tool_input": {"file_path": path}}
        _append(run, frame, call)
        run.end(frame)
    run.store.ready()
    return run


def _append(run, frame, payload):
    with workspace_scope(frame.workspace_id):
        append_batch(actor=run.actor, events=[EventIn(str(frame.pk), "tool_call", payload)])


def scores(run) -> dict[str, float]:
    return {f.name: f.score for f in Frame.unscoped.filter(project=run.store.project)}


@pytest.mark.django_db
def test_closing_scores_and_search_knows_it(closed):
    found = scores(closed)
    assert found["Build it"] > found["Look around"] > 0
    document = Document.unscoped.get(title="Build it", kind="frame")
    assert document.score == pytest.approx(found["Build it"])


@pytest.mark.django_db
def test_frames_that_came_closed_are_scored_by_the_clock(closed):
    Frame.unscoped.update(score=None, digest={"result": "local", "tool_calls_count": 1})
    score_missing()
    found = scores(closed)
    assert found["Build it"] == pytest.approx(0.75 * 0.4 + 0.04)
    assert found["Look around"] == pytest.approx(0.1)


@pytest.mark.django_db
def test_weights_are_previewed_kept_told_and_followed(closed, login, alice, bob):
    project = closed.store.project
    place = reverse("frames:scoring", args=["acme", project.slug])
    browser, before = login(alice), scores(closed)
    with few_queries():
        page = browser.get(place).content.decode()
    assert page.index("Build it") < page.index("Look around")
    other = dict.fromkeys(("impact", "persistence", "reference"), "0") | {"base": "1"}
    other |= {f"kind-{kind}": "0.1" for kind in BASES} | {"kind-read": "0.9"}
    tried = browser.get(place, other).content.decode()
    assert tried.index("Look around") < tried.index("Build it")
    assert "was 2" in tried
    assert scores(closed) == before, "a preview changes nothing"
    assert browser.post(place, other | {"base": "7"}).status_code == 200
    assert login(bob).post(place, other).status_code == 403
    assert Project.unscoped.get(pk=project.pk).settings == {}
    assert browser.post(place, other).status_code == 302
    assert Weights.of(Project.unscoped.get(pk=project.pk)).base == 1
    assert Audit.unscoped.filter(action="project.settings").count() == 1
    rescore(str(project.workspace_id), str(project.pk))
    after = scores(closed)
    assert after["Look around"] == pytest.approx(0.9)
    assert after["Build it"] == pytest.approx(0.1)
    browser.post(place, other | {"usual": "1"})
    assert Weights.of(Project.unscoped.get(pk=project.pk)) == Weights()
