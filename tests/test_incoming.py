"""What agents send is stored without secrets, and reaches nobody it should not."""

from __future__ import annotations

import pytest

from frames import anchoring, calls, handing_off, tasking
from frames.models import AgentSession, Anchor, Frame, Project
from frames.reach import find_anchor, find_frame, find_task
from stackmemory.lib.refusal import Conflict, NotFound, Refusal
from workspaces.actor import Actor
from workspaces.models import Membership

SECRET = "AKIAQYLPMN5HHHFPZAM2"


@pytest.fixture
def project(acme):
    return Project.unscoped.create(workspace=acme, slug="api", name="Api")


@pytest.fixture
def acts(acme):
    def make(user):
        return Actor.of_member(Membership.objects.in_workspace(acme).get(user=user))

    return make


def test_names_texts_and_outputs_are_redacted(acme, acts, alice, bob, project):
    actor = acts(bob)
    frame, _ = calls.start_frame(
        actor=actor, project=project, name=f"Rotate {SECRET}", constraints=[f"never {SECRET}"],
        inputs={"env": {"AWS_ACCESS_KEY_ID": SECRET}, "n": 1},
    )  # fmt: skip
    anchor, _ = anchoring.add_anchor(
        actor=actor, project=project, frame=frame, text=f"The key was {SECRET}", aliases=[SECRET]
    )
    anchoring.change_anchor(actor=actor, anchor=anchor, text=f"It was {SECRET}")
    tasking.create_task(
        actor=actor, project=project, frame=frame, title=f"Revoke {SECRET}", description=SECRET,
        tags=[SECRET],
    )  # fmt: skip
    handing_off.hand_off(actor=actor, frame=frame, to=alice.email, message=f"Mind {SECRET}")
    calls.close_frame(actor=actor, frame=frame, result=SECRET, outputs={"log": [SECRET]})
    rows = [
        row
        for model in (Frame, Anchor)
        for row in model.objects.in_workspace(acme).values()
    ] + [*acme.tasks.values(), *acme.handoffs.values()]  # fmt: skip
    assert len(rows) == 4
    assert SECRET not in str(rows)
    assert str(rows).count("[redacted:") >= 10
    assert Frame.objects.in_workspace(acme).get().inputs["n"] == 1


def test_what_no_column_can_hold_is_replaced(acme, acts, bob, project):
    actor = acts(bob)
    frame, _ = calls.start_frame(
        actor=actor, project=project, name="a\x00b \ud800", inputs={"k\x00": ["\x00"]},
        source_id="id\x00",
    )  # fmt: skip
    frame.refresh_from_db()
    assert (frame.name, frame.inputs, frame.source_id) == ("a␀b ?", {"k␀": ["␀"]}, "id␀")
    for find in (find_frame, find_anchor, find_task):
        with pytest.raises(NotFound):
            find(actor, "\x00")
    with pytest.raises(Refusal, match="500"):
        calls.start_frame(actor=actor, project=project, name="n", source_id="x" * 501)


def test_private_frames_keep_what_hangs_on_them(acme, acts, alice, bob, project):
    mine, theirs = acts(bob), acts(alice)
    top, _ = calls.start_frame(actor=mine, project=project, name="Team work")
    frame, _ = calls.start_frame(
        actor=mine, project=project, name="My doubts", parent=top, visibility="private"
    )
    anchor, _ = anchoring.add_anchor(
        actor=mine, project=project, frame=frame, text="Hm", source_id="a"
    )
    task, _ = tasking.create_task(
        actor=mine, project=project, frame=frame, title="T", source_id="t"
    )
    assert find_anchor(mine, "a") == anchor
    assert list(tasking.active_tasks(mine)) == [task]
    for find, ref in ((find_anchor, "a"), (find_task, str(task.pk)), (find_frame, str(frame.pk))):
        with pytest.raises(NotFound):
            find(theirs, ref)
    assert list(tasking.active_tasks(theirs)) == []
    assert tasking.task_metrics(theirs)["total"] == 0
    with pytest.raises(Conflict, match="source_id"):
        anchoring.add_anchor(actor=theirs, project=project, text="x", source_id="a")
    with pytest.raises(Conflict, match="source_id"):
        tasking.create_task(actor=theirs, project=project, title="x", source_id="t")
    calls.close_frame(actor=theirs, frame=top)
    top.refresh_from_db()
    assert "My doubts" not in str(top.digest) + top.digest_text


def test_the_path_of_a_deep_stack_costs_the_same(
    acme, acts, bob, project, django_assert_max_num_queries
):
    actor = acts(bob)
    session, _ = calls.open_session(actor=actor, project=project, source_id="run")
    for number in range(12):
        calls.start_frame(actor=actor, project=project, name=f"f{number}", session=session)
    session = AgentSession.objects.in_workspace(acme).get()
    with django_assert_max_num_queries(3):
        stack = calls.active_stack(actor, session)
    assert [frame.name for frame in stack] == [f"f{n}" for n in range(12)]
    assert [frame.depth for frame in stack] == list(range(12))
