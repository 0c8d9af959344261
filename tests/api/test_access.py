"""Every operation with every kind of key: none, ended, of another team, too weak, of one project."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from frames.models import HandOff, Project
from stackmemory.api import api
from stackmemory.openapi import operations
from tests.api.client import Api, error_of, key_for
from tests.conftest import make_person, make_workspace
from tests.things import things
from workspaces.access import PERMISSIONS
from workspaces.models import ApiKey, Membership, User, Workspace

pytestmark = pytest.mark.django_db

# What operations call what they name, and what tests.things calls it.
NAMES = {
    "project": "project_id", "session": "session_id", "frame": "frame_id", "event": "event_id",
    "anchor": "anchor_id", "task": "task_id", "on": "task_id", "member_id": "membership_id",
    "invitation_id": "invitation_id", "key_id": "key_id", "hand_off_id": "hand_off_id",
    "import_id": "transfer_id", "id": "bundle_id", "export_id": "export_id",
    "archive_id": "arrival_id",
}  # fmt: skip
# The least each operation that needs a body can be sent, so that it gets as far as looking.
BODIES: dict[str, Any] = {
    "POST /projects": {"name": "New"},
    "PATCH /projects/{project}": {},
    "POST /sessions": {},
    "POST /frames": {"name": "New"},
    "POST /frames/{frame}/hand-off": {"to": "nobody@example.com"},
    "POST /events": {"frame": "x", "type": "note"},
    "POST /events/batch": {"events": []},
    "POST /anchors": {"text": "New"},
    "PATCH /anchors/{anchor}": {},
    "POST /anchors/{anchor}/supersede": {"text": "New"},
    "POST /tasks": {"title": "New"},
    "POST /tasks/{task}/status": {"status": "blocked"},
    "POST /tasks/{task}/dependencies": {"on": "x"},
    "PATCH /members/{member_id}": {"role": "viewer"},
    "POST /invitations": {"email": "new@example.com"},
    "POST /keys": {"name": "new", "scopes": ["read"]},
    "POST /search": {"query": "x"},
    "POST /context": {},
    "POST /imports": {"name": "x", "store": "context.db", "size": 9, "sha256": "0" * 64},
    "POST /hooks/claude-code/past": {"reports": []},
    "POST /exports": {"format": "store"},
    "POST /archives": {"name": "a.zip", "size": 9, "sha256": "0" * 64},
    "POST /frames/{frame}/erasure": {"confirm": "erase"},
    "POST /sessions/{session}/erasure": {"confirm": "erase"},
    "POST /hooks/claude-code": {"hook_event_name": "Stop", "session_id": "s"},
}


class Call:
    """One operation, ready to be tried."""

    def __init__(self, operation: Any) -> None:
        self.method = operation.methods[0]
        self.path = operation.path
        self.permission = operation.view_func.rules.permission
        self.name = f"{self.method} {self.path}"
        self.arguments = re.findall(r"{(\w+)}", self.path)

    def send(self, caller: Api, values: dict[str, Any]) -> Any:
        """The answer; nothing it does is kept."""
        path = re.sub(r"{(\w+)}", lambda m: str(values[NAMES[m[1]]]), self.path)
        body = BODIES.get(self.name)
        with transaction.atomic():
            response = caller.send(self.method, path.lstrip("/"), body)
            transaction.set_rollback(True)
        assert response.status_code < 500, (self.name, response.content)
        return response


CALLS = [Call(operation) for operation in operations(api)]
every = pytest.mark.parametrize("call", CALLS, ids=[call.name for call in CALLS])
NAMING = [call for call in CALLS if call.arguments]


@pytest.fixture(scope="module")
def acme(stage) -> Workspace:
    return make_workspace("acme")


@pytest.fixture(scope="module")
def globex(stage) -> Workspace:
    return make_workspace("globex")


@pytest.fixture(scope="module")
def alice(acme) -> User:
    return make_person("alice", acme, "owner")


@pytest.fixture(scope="module")
def charlie(globex) -> User:
    return make_person("charlie", globex, "owner")


@pytest.fixture(scope="module")
def ours(acme, alice) -> dict[str, Any]:
    return with_hand_off(acme, alice)


@pytest.fixture(scope="module")
def theirs(globex, charlie) -> dict[str, Any]:
    return with_hand_off(globex, charlie)


@pytest.fixture(scope="module")
def keys(acme, alice, ours) -> dict[str, Api]:
    """A key of each kind, by what is said of it below."""
    now = timezone.now()
    made = {scope: key_for(acme, alice, scope) for scope in ("read", "write", "admin")}
    made["ended"] = key_for(acme, alice, "admin", expires_at=now - timedelta(seconds=1))
    made["revoked"] = key_for(acme, alice, "admin")
    ApiKey.unscoped.filter(pk=made["revoked"].key.pk).update(revoked_at=now)
    for role in ("viewer", "member", "admin", "gone"):
        user = make_person(f"the-{role}", acme, role if role != "gone" else "admin")
        made[f"of the {role}"] = key_for(acme, user, "read", "write", "admin")
    Membership.unscoped.filter(user=user).delete()
    locked = make_person("locked", acme, "admin")
    made["of the locked"] = key_for(acme, locked, "admin")
    User.objects.filter(pk=locked.pk).update(is_active=False)
    made["of nobody"] = key_for(acme, None, "read", "write", "admin")
    made["of a project gone"] = key_for(acme, alice, "admin", project_id=ours["event_id"])
    return made


def with_hand_off(workspace: Any, person: User) -> dict[str, Any]:
    found = things(workspace)
    hand_off = HandOff.unscoped.create(
        workspace=workspace, frame_id=found["frame_id"], from_user=person, to_user=person
    )
    project = Project.unscoped.get(workspace=workspace)
    return found | {"hand_off_id": hand_off.pk, "project_id": project.pk}


def may_not(response: Any) -> bool:
    """Whether the key itself was found wanting (not what it wanted to do)."""
    if response.status_code != 403:
        return False
    message = response.json()["error"]["message"]
    return "scopes do not include" in message or "tied to a project and cannot" in message


def let_in(response: Any) -> bool:
    return response.status_code != 401 and not may_not(response)


@every
def test_without_a_usable_key_nobody_is_let_in(call, ours, keys):
    for caller in (Api(), Api("sm_nonsense"), keys["ended"], keys["revoked"]):
        assert error_of(call.send(caller, ours))[:2] == (401, "unauthenticated")


@every
def test_a_key_can_do_what_its_scopes_say(call, ours, keys):
    for scope, role in {"read": "viewer", "write": "member", "admin": "admin"}.items():
        allowed = call.permission in PERMISSIONS[role]
        assert let_in(call.send(keys[scope], ours)) == allowed, scope


@every
def test_a_key_can_do_no_more_than_its_maker_may(call, ours, keys):
    for role in ("viewer", "member", "admin"):
        allowed = call.permission in PERMISSIONS[role]
        assert let_in(call.send(keys[f"of the {role}"], ours)) == allowed, role
    assert may_not(call.send(keys["of the gone"], ours)), "left the team"


@every
def test_a_key_of_a_person_who_may_not_log_in_does_nothing(call, ours, keys):
    assert may_not(call.send(keys["of the locked"], ours))


@every
def test_an_operators_key_is_bound_by_its_scopes_alone(call, ours, keys):
    assert let_in(call.send(keys["of nobody"], ours))


@every
def test_a_key_of_a_deleted_workspace_opens_nothing(call, ours, acme, keys):
    Workspace.objects.filter(pk=acme.pk).update(deleted_at=timezone.now())
    assert call.send(keys["admin"], ours).status_code == 401


@pytest.mark.parametrize("call", NAMING, ids=[call.name for call in NAMING])
def test_another_teams_things_do_not_exist(call, ours, theirs, keys):
    for argument in call.arguments:
        mixed = ours | {NAMES[argument]: theirs[NAMES[argument]]}
        if call.name.startswith("DELETE /tasks") and argument == "on":
            continue  # to wait no longer for what one never waited for changes nothing
        assert call.send(keys["admin"], mixed).status_code == 404, argument


@every
def test_a_key_of_one_project_reaches_no_other(call, ours, acme, keys):
    other = Project.unscoped.create(workspace=acme, slug="other", name="Other")
    caller = keys["of a project gone"]
    ApiKey.unscoped.filter(pk=caller.key.pk).update(project_id=other.pk)
    response = call.send(caller, ours)
    if call.permission not in ("read", "write") or call.name == "POST /projects":
        assert response.status_code == 403
    elif call.arguments:
        assert response.status_code == 404
    else:
        assert let_in(response)
        assert str(ours["frame_id"]) not in response.content.decode()
        assert ours["project_slug"] not in response.content.decode()


@every
def test_a_key_of_a_project_that_is_gone_reaches_nothing(call, ours, keys):
    response = call.send(keys["of a project gone"], ours)
    assert str(ours["frame_id"]) not in response.content.decode()
    if call.arguments:
        assert response.status_code in (403, 404)


BODY_REFS: list[tuple[str, Callable[[dict[str, Any]], dict[str, Any]], str]] = [
    ("sessions", lambda t: {"project": t["project_slug"]}, "project"),
    ("frames", lambda t: {"name": "x", "project": t["project_slug"]}, "project"),
    ("frames", lambda t: {"name": "x", "session": str(t["session_id"])}, "session"),
    ("frames", lambda t: {"name": "x", "parent": str(t["frame_id"])}, "parent"),
    ("events", lambda t: {"type": "x", "frame": str(t["frame_id"])}, "frame"),
    ("anchors", lambda t: {"text": "x", "project": t["project_slug"]}, "project"),
    ("anchors", lambda t: {"text": "x", "frame": str(t["frame_id"])}, "frame"),
    ("anchors", lambda t: {"text": "x", "supersedes": str(t["anchor_id"])}, "supersedes"),
    ("tasks", lambda t: {"title": "x", "project": t["project_slug"]}, "project"),
    ("tasks", lambda t: {"title": "x", "frame": str(t["frame_id"])}, "frame"),
    ("tasks", lambda t: {"title": "x", "depends_on": [str(t["task_id"])]}, "depends_on"),
    ("keys", lambda t: {"name": "x", "scopes": ["read"], "project": t["project_slug"]}, "project"),
]


@pytest.mark.parametrize(("path", "body", "field"), BODY_REFS)
def test_a_body_cannot_name_another_teams_things(path, body, field, ours, theirs, keys):
    response = keys["admin"].post(path, body(theirs))
    assert error_of(response) == (404, "not_found", field)


FILTERS = [
    ("sessions", "project", "project_slug"), ("frames", "project", "project_slug"),
    ("frames", "session", "session_id"), ("frames", "parent", "frame_id"),
    ("anchors", "project", "project_slug"), ("anchors", "frame", "frame_id"),
    ("tasks", "project", "project_slug"), ("tasks", "frame", "frame_id"),
    ("tasks/metrics", "project", "project_slug"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "name", "thing"), FILTERS)
def test_a_filter_cannot_name_another_teams_things(path, name, thing, ours, theirs, keys):
    caller = keys["read"]
    assert error_of(caller.get(path, **{name: theirs[thing]})) == (404, "not_found", name)
    assert caller.get(path, **{name: ours[thing]}).status_code == 200


def test_lists_hold_nothing_of_another_team(theirs):
    team = make_workspace("initech")
    caller = key_for(team, make_person("ines", team, "owner"), "admin")
    for path in ("projects", "sessions", "frames", "anchors", "tasks", "hand-offs", "invitations"):
        assert caller.get(path).json() == {"items": [], "next": None}, path
    people = [member["email"] for member in caller.get("members").json()["items"]]
    assert people == ["ines@example.com"]
    assert len(caller.get("keys").json()["items"]) == 1


def test_every_operation_that_writes_is_tried_with_a_body_it_can_read(ours, keys):
    for call in CALLS:
        if call.method != "GET":
            assert call.send(keys["admin"], ours).status_code != 400, call.name
