"""A backup was restored: what was erased since it was taken is erased again."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from frames.models import AgentSession, Erased, Event, Frame
from stackmemory.backup.errors import BadBackup
from stackmemory.erasing import again, doing, person
from stackmemory.lib.tenancy import workspace_scope
from tests.pages import make_frame, make_project, make_session
from tests.search.conftest import acting
from tests.stacks import call, happen
from workspaces import audit
from workspaces.jobs import erase
from workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db


class Asked:
    """An engine that asks the database of the tests."""

    def ask(self, said):
        with connection.cursor() as cursor:
            cursor.execute(said)
            return cursor.fetchall()


def names() -> set[str]:
    return set(Frame.unscoped.values_list("name", flat=True))


def test_what_was_erased_since_goes_again(acme, globex, alice, bob, as_application):
    project = make_project(acme)
    top = make_frame(project, name="top")
    bad = call(project, top, name="bad", source_id="f-1")
    call(project, bad, name="below bad")
    run = make_session(project, source_id="run-1")
    make_frame(project, name="of the run", session=run)
    make_frame(project, name="bob's own", visibility="private", owner=bob)
    make_frame(make_project(globex), name="of the other team")
    happen(acme, bad, [("note", {"n": 1})])
    taken = transaction.savepoint()  # the backup
    actor = acting(acme, alice)
    with workspace_scope(acme.pk):
        doing.take(doing.find(actor, bad))
        doing.take(doing.find(actor, run))
    person.erase_account(bob)
    erase(globex)
    then = again.former(Asked())
    left, stones = names(), Erased.unscoped.count()
    assert left == {"top"}
    transaction.savepoint_rollback(taken)  # restored
    assert len(names()) == 6
    told = again.Told(workspaces=1, frames=4, sessions=1, people=1)
    assert again.erase_again(then, dry_run=True) == told
    assert len(names()) == 6
    again.erase_again(then)
    assert (names(), Erased.unscoped.count()) == (left, stones)
    assert not AgentSession.unscoped.exists()
    assert not User.objects.filter(pk=bob.pk).exists()
    assert Workspace.objects.get(pk=globex.pk).erased_at
    assert next(audit.faults(acme), None) is None
    assert not Event.unscoped.exists()
    assert again.erase_again(then) == again.Told()


def test_another_installations_database_is_refused(acme, alice):
    then = again.former(Asked())
    Workspace.objects.create(slug="new", name="New")
    with pytest.raises(BadBackup, match="knows nothing of “new”"):
        again.erase_again(then)
    assert User.objects.filter(pk=alice.pk).exists()
