"""The six properties of docs/security.md, on PostgreSQL, as a role that can bypass nothing."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.http import Http404
from django.utils import timezone

from frames.models import Event, Frame, Project
from search.backends import Filters
from search.backends import postgres as backend
from stackmemory.lib import row_security
from stackmemory.lib.tenancy import (
    enter_workspace,
    person_scope,
    secret_scope,
    system_scope,
    workspace_scope,
)
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import Membership, Workspace

pytestmark = pytest.mark.postgresql_only


def run(sql: str, *parameters: object) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def two_teams(acme, globex, alice, charlie):
    """Each with a project, a frame and an event."""
    frames = {}
    for workspace in (acme, globex):
        project = Project.unscoped.create(workspace=workspace, slug="p", name="P")
        frame_id = uuid7()
        frame = frames[workspace.slug] = Frame.unscoped.create(
            id=frame_id, root_id=frame_id, workspace=workspace, project=project, name="work"
        )
        Event.unscoped.create(
            workspace=workspace, frame=frame, type="observation", occurred_at=timezone.now()
        )
    return frames


def tenant_tables() -> list[str]:
    return [model._meta.db_table for model in row_security.tenant_models()]


def test_role_can_bypass_nothing(db, as_application):
    with as_application():
        assert run("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [
            (False, False)
        ]
        owned = "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole"
        assert run(owned) == [(0,)]


def test_a_no_scope_no_rows(two_teams, as_application):
    with as_application():
        for table in tenant_tables():
            assert run(f'SELECT count(*) FROM "{table}"') == [(0,)], table
        assert not Frame.objects.across_workspaces().exists()


def test_a_partitions_cannot_be_read_directly(two_teams, as_application):
    partitions = run(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'frames_event'::regclass"
    )
    assert partitions
    with as_application(), workspace_scope(two_teams["acme"].workspace_id):
        for (name,) in partitions:
            with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                run(f"SELECT * FROM {name}")


def test_a_every_table_with_a_workspace_is_protected(db):
    loose = run(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE a.attname = 'workspace_id' AND c.relkind IN ('r', 'p')"
        " AND c.relnamespace = 'public'::regnamespace AND NOT c.relrowsecurity"
    )
    assert loose == []


def test_b_scope_sees_its_own_rows_only(two_teams, acme, as_application):
    with as_application(), workspace_scope(acme.id):
        assert run("SELECT count(*), min(workspace_id::text) FROM frames_frame") == [
            (1, str(acme.id))
        ]
        assert Event.objects.across_workspaces().count() == 1


def test_b_another_team_cannot_be_written(two_teams, acme, globex, as_application):
    theirs = two_teams["globex"]
    with as_application(), workspace_scope(acme.id):
        assert Frame.objects.across_workspaces().filter(pk=theirs.pk).update(name="mine") == 0
        assert run("DELETE FROM frames_frame WHERE id = %s RETURNING id", theirs.pk) == []
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Project.unscoped.create(workspace=globex, slug="q", name="Q")
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            acme.projects.update(workspace=globex)
    theirs.refresh_from_db()
    assert theirs.name == "work"


def test_b_another_team_cannot_be_referenced(two_teams, acme, as_application):
    theirs = two_teams["globex"]
    frame_id = uuid7()
    pointing = Frame(
        id=frame_id,
        root_id=frame_id,
        workspace=acme,
        project_id=two_teams["acme"].project_id,
        parent_id=theirs.id,
        name="x",
    )
    with as_application(), workspace_scope(acme.id), pytest.raises(IntegrityError):
        pointing.save(force_insert=True)


def test_b_memberships_before_a_workspace(two_teams, acme, alice, charlie, as_application):
    with as_application(), person_scope(alice.pk):
        assert [m.workspace_id for m in Membership.objects.across_workspaces()] == [acme.id]
        assert not Frame.objects.across_workspaces().exists()
        # seen, yet not to be changed from there: nobody makes themselves an owner
        assert Membership.objects.across_workspaces().update(role="viewer") == 0
        enter_workspace(acme.id)
        assert Frame.objects.across_workspaces().count() == 1
        assert list(Workspace.objects.of(alice)) == [acme]


def test_b_secret_shows_one_row(two_teams, acme, as_application):
    key = row_security.apps.get_model("workspaces", "ApiKey")
    for number in (1, 2):
        key.unscoped.create(workspace=acme, name="k", public=f"p{number}", digest=str(number) * 64)
    with as_application(), secret_scope("1" * 64):
        assert [k.public for k in key.objects.across_workspaces()] == ["p1"]
    with as_application(), secret_scope(""):
        assert not key.objects.across_workspaces().exists()


def test_b_events_and_audit_are_append_only(two_teams, acme, as_application):
    for table in ("frames_event", "workspaces_audit"):
        with as_application(), workspace_scope(acme.id):
            for verb in (f'DELETE FROM "{table}"', f'UPDATE "{table}" SET workspace_id = NULL'):
                with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
                    run(verb)


def test_c_nested_scope_restores_the_outer(two_teams, acme, globex, as_application):
    def seen() -> set[object]:
        return {f.workspace_id for f in Frame.objects.across_workspaces()}

    with as_application():
        with workspace_scope(acme.id):
            with workspace_scope(globex.id):
                assert seen() == {globex.id}
            assert seen() == {acme.id}
            with pytest.raises(Http404), system_scope():  # noqa: PT012
                assert seen() == {acme.id, globex.id}
                raise Http404
            assert seen() == {acme.id}
        assert seen() == set()


def test_c_pages_read_inside_their_scope_only(two_teams, alice, login):
    page = login(alice).get("/w/acme/")
    assert page.status_code == 200
    assert login(alice).get("/w/globex/").status_code == 404


def test_d_setup_is_idempotent_and_covers_every_table(db):
    first, second = row_security.install(), row_security.install()
    assert first.tables == second.tables == tenant_tables()
    assert first.weaker == second.weaker == []
    call_command("setup_database", "--json")


def test_d_check_says_what_is_weaker(db):
    found = {message.id for message in run_checks(databases=["default"])}
    assert "stackmemory.W007" in found  # tests log in as the owner
    assert not found & {"stackmemory.W006", "stackmemory.E002"}
    run("ALTER TABLE frames_frame DISABLE ROW LEVEL SECURITY")
    messages = [m for m in run_checks(databases=["default"]) if m.id == "stackmemory.E002"]
    assert [("frames_frame" in m.msg, "setup_database" in m.hint) for m in messages] == [
        (True, True)
    ]


@pytest.fixture
def much_said(acme, globex):
    """2,000 documents of each of two teams, statistics included; one in 100 holds the rare word."""
    for workspace in (acme, globex):
        project = Project.unscoped.create(workspace=workspace, slug="p", name="P")
        run(
            "INSERT INTO search_document (id, created_at, kind, object_id, project_id, workspace_id,"
            " type, title, text, who, at, superseded, pinned, aliases, terms, length, content_hash)"
            " SELECT gen_random_uuid(), now(), 'event', gen_random_uuid(), %s, %s, 'note', '', repeat('x', 1500),"
            " '', now(), false, false, '[]', (CASE WHEN n %% 100 = 0 THEN '''rare'':1 ' ELSE '' END"
            " || '''common'':2 ''w' || n || ''':3')::tsvector, 3, '' FROM generate_series(1, 2000) n",
            project.pk,
            workspace.pk,
        )
    run("ANALYZE search_document")


def read_by(call) -> tuple[int, int, int]:
    """(scans of the GIN index, entries these gave, scans of the whole table) of what `call` does."""
    counters = (
        "SELECT pg_stat_get_xact_numscans(i), pg_stat_get_xact_tuples_returned(i),"
        " pg_stat_get_xact_numscans('search_document'::regclass)"
        " FROM (SELECT 'document_terms'::regclass::oid AS i) the"
    )
    (before,) = run(counters)
    call()
    (after,) = run(counters)
    return tuple(b - a for a, b in zip(before, after, strict=True))  # type: ignore[return-value]


def test_f_text_search_keeps_its_index(much_said, acme, as_application):
    """By the database's own counters, with the planner's usual settings.

    The index gives the 20 documents that hold the word, out of the team's 2,000 and everybody's
    4,000. The same condition in a plain query is checked row by row, as `@@` is not leakproof: were
    a function replaced by one, its counters would look like those at the end.
    """

    def found(word: str) -> list:
        return backend.by_text(acme, {word: 1.0}, Filters(), 100)

    plain = "SELECT id FROM search_document WHERE workspace_id = %s AND terms @@ 'rare'::tsquery"
    with as_application(), workspace_scope(acme.id):
        assert len(found("rare")) == 20
        # also once the server has settled on one plan for the function
        assert read_by(lambda: [found("rare") for _ in range(8)]) == (8, 8 * 20, 0)
        counts = "SELECT documents FROM search_word_counts('{rare}', NULL, 1000)"
        assert read_by(lambda: run(counts)) == (1, 20, 0)
        assert run(counts) == [(20,)]
        scans, entries, whole = read_by(lambda: run(plain, acme.id))
        assert whole or not scans or entries >= 2000
        assert len(run(plain, acme.id)) == 20
