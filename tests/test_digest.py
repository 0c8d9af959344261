"""What a closed frame returns: read from its events, told to no one who may not know."""

import pytest

from frames.calls import close_frame, start_frame
from frames.models import Frame, Project
from stackmemory.lib.tenancy import workspace_scope
from workspaces.actor import Actor
from workspaces.models import Membership


@pytest.fixture
def alice_acts(acme, alice):
    return Actor.of_member(Membership.objects.in_workspace(acme).get(user=alice))


def test_a_team_frame_s_digest_does_not_name_private_children(acme, alice_acts):
    project = Project.unscoped.create(workspace=acme, slug="p", name="P")
    with workspace_scope(acme.id):
        parent, _ = start_frame(actor=alice_acts, project=project, name="shared work")
        for name, visibility in (("seen by all", "team"), ("salary talks", "private")):
            start_frame(
                actor=alice_acts, project=project, name=name, parent=parent, visibility=visibility
            )
        close_frame(actor=alice_acts, frame=parent, result="done")
        parent.refresh_from_db()
    assert parent.digest["children"] == ["seen by all (closed)"]
    assert "salary" not in parent.digest_text
    assert Frame.objects.in_workspace(acme).active().count() == 0
