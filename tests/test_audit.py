"""The audit log: what is written, that it cannot be changed, that tampering is found."""

from __future__ import annotations

import csv
import io
import json
import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone

from stackmemory.lib.tenancy import as_owner, system_scope, workspace_scope
from tests.conftest import PASSWORD
from workspaces import audit
from workspaces.models import Audit, AuditHead

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(acme, alice):
    """Five entries of acme."""
    for number in range(5):
        audit.record(
            workspace=acme, action="member.role", actor=alice, target=alice, after={"n": number}
        )
    return acme


@pytest.fixture
def unguarded():
    """What somebody with the keys to the database itself could do: the triggers are gone."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or checks still wait on the table
            cursor.execute("ALTER TABLE workspaces_audit DISABLE TRIGGER USER")
        else:
            for name in ("no_delete", "no_update", "no_replace"):
                cursor.execute(f"DROP TRIGGER workspaces_audit_{name}")


def problems(workspace) -> list[tuple[int, str]]:
    return [(fault.seq, fault.problem) for fault in audit.faults(workspace)]


def entry(workspace, seq: int) -> Audit:
    return Audit.objects.in_workspace(workspace).get(seq=seq)


def test_entries_are_numbered_without_gaps_per_workspace(chain, globex, charlie):
    audit.record(workspace=globex, action="member.left", actor=charlie)
    numbers = Audit.objects.in_workspace(chain).order_by("seq").values_list("seq", flat=True)
    assert list(numbers) == [1, 2, 3, 4, 5]
    assert Audit.objects.in_workspace(globex).get().seq == 1
    assert problems(chain) == problems(globex) == []


def test_an_entry_is_kept_if_and_only_if_the_work_is(acme, alice):
    with transaction.atomic():
        audit.record(workspace=acme, action="member.left", actor=alice)
        transaction.set_rollback(True)
    audit.record(workspace=acme, action="member.joined", actor=alice)
    assert entry(acme, 1).action == "member.joined"
    assert problems(acme) == []


def test_unknown_actions_are_refused(acme):
    with pytest.raises(ValueError, match="Unknown audit action"):
        audit.record(workspace=acme, action="made.up")


@pytest.mark.parametrize(
    "change",
    [
        {"action": "member.left"},
        {"details": "{}"},
        {"details": None},
        {"salt": None},
        {"hash": "0" * 64},
        {"seq": 77},
        {"details": None, "salt": None, "action": "member.left"},
    ],
)
def test_the_database_refuses_changes(chain, change):
    with pytest.raises(DatabaseError), transaction.atomic():
        Audit.unscoped.filter(seq=2).update(**change)
    assert problems(chain) == []


def test_the_database_refuses_deletion_and_replacement(chain):
    with pytest.raises(DatabaseError), transaction.atomic():
        Audit.unscoped.filter(seq=5)._raw_delete("default")
    if connection.vendor == "sqlite":
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO workspaces_audit SELECT * FROM workspaces_audit WHERE seq = 2"
            )
    assert Audit.objects.in_workspace(chain).count() == 5


def test_details_can_be_forgotten_and_the_chain_still_verifies(chain, alice):
    assert audit.erase(Audit.objects.in_workspace(chain).filter(actor_id=alice.pk)) == 5
    assert problems(chain) == []
    forgotten = entry(chain, 3)
    assert (forgotten.details, forgotten.salt, forgotten.data) == (None, None, {})
    audit.record(workspace=chain, action="member.left", actor=alice)
    assert problems(chain) == []


def test_a_person_can_be_forgotten_everywhere(chain, globex, alice, bob, as_application):
    audit.record(workspace=globex, action="member.joined", actor=bob, target=alice)
    audit.record(workspace=globex, action="member.joined", actor=bob, target=bob)
    with as_application(), system_scope():
        assert audit.erase_person(alice) == 6
    assert problems(chain) == problems(globex) == []
    left = Audit.unscoped.exclude(details=None).values_list("details", flat=True)
    assert not any(alice.email in details for details in left)


def test_the_application_cannot_forget_on_its_own(chain, as_application):
    if connection.vendor == "postgresql":
        with as_application(), pytest.raises(DatabaseError), workspace_scope(chain.pk):
            audit.erase(Audit.objects.in_workspace(chain))
    assert not Audit.objects.in_workspace(chain).filter(details=None).exists()


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"action": "member.left"}, "changed"),
        ({"actor_id": None}, "changed"),
        ({"created_at": timezone.now() - timedelta(days=9)}, "changed"),
        ({"target_id": "somebody else"}, "changed"),
        ({"details": '{"after":{"n":9}}'}, "details were changed"),
        ({"hash": "0" * 64}, "changed"),
    ],
)
def test_a_changed_entry_is_named(chain, unguarded, change, first):
    Audit.unscoped.filter(seq=3).update(**change)
    found = problems(chain)
    assert found[0][0] == 3
    assert first in found[0][1]


def test_a_missing_entry_is_named(chain, unguarded):
    Audit.unscoped.filter(seq=2)._raw_delete("default")
    assert problems(chain)[0] == (2, "missing")


def test_a_missing_entry_whose_place_was_closed_is_named(chain, unguarded):
    Audit.unscoped.filter(seq=2)._raw_delete("default")
    for seq in (3, 4, 5):
        Audit.unscoped.filter(seq=seq).update(seq=seq - 1)
    assert problems(chain)[0][0] == 2


def test_swapped_entries_are_named(chain, unguarded):
    Audit.unscoped.filter(seq=2).update(seq=99)
    Audit.unscoped.filter(seq=3).update(seq=2)
    Audit.unscoped.filter(seq=99).update(seq=3)
    assert {seq for seq, _ in problems(chain)} >= {2, 3}


def test_a_cut_off_end_is_named(chain, unguarded):
    Audit.unscoped.filter(seq__gte=4)._raw_delete("default")
    assert problems(chain) == [(4, "missing, and so is every one up to 5 (cut off at the end)")]


def test_a_whole_log_cut_off_is_named(chain, unguarded):
    Audit.unscoped.all()._raw_delete("default")
    assert problems(chain)[0][0] == 1


def test_an_entry_moved_to_another_workspace_is_named(chain, globex, unguarded):
    Audit.unscoped.filter(seq=5).update(workspace=globex, seq=1)
    assert problems(chain)
    assert problems(globex)


def test_a_rewritten_chain_is_found_by_a_head_kept_elsewhere(chain, unguarded):
    kept = audit.head(chain)
    previous = ""
    for row in Audit.objects.in_workspace(chain).order_by("seq"):
        row.action = "member.left"
        row.hash = previous = audit.chained(previous, row)
        Audit.unscoped.filter(pk=row.pk).update(action=row.action, hash=row.hash)
    AuditHead.unscoped.update(hash=previous)
    assert problems(chain) == []
    assert [f.seq for f in audit.faults(chain, head=(kept.seq, kept.hash))] == [5]


def run(*args: str) -> str:
    out = StringIO()
    call_command("verify_audit", *args, stdout=out)
    return out.getvalue()


def test_command_reports_whole_chains(chain, globex):
    out = run()
    assert f"acme: whole, 5 entries, head {audit.head(chain)}" in out
    assert "globex: whole, 0 entries" in out


def test_command_names_the_row_and_fails(chain, unguarded):
    Audit.unscoped.filter(seq=3).update(action="member.left")
    out = StringIO()
    with pytest.raises(CommandError, match="1 broken") as caught:
        call_command("verify_audit", "--workspace", "acme", stdout=out)
    assert caught.value.returncode == 1
    assert "acme: entry 3: it was changed" in out.getvalue()
    assert str(entry(chain, 3).pk) in out.getvalue()


def test_command_checks_a_head_kept_elsewhere(chain):
    kept = str(audit.head(chain))
    assert "whole" in run("--workspace", "acme", "--head", kept)
    with pytest.raises(CommandError, match="broken"):
        run("--workspace", "acme", "--head", f"5:{'0' * 64}")
    with pytest.raises(CommandError, match="SEQ:HASH"):
        run("--workspace", "acme", "--head", "nonsense")
    with pytest.raises(CommandError, match="no workspace"):
        run("--workspace", "nope")


def test_login_from_a_new_place_is_written_down_and_mailed(
    alice, acme, mailoutbox, django_capture_on_commit_callbacks
):
    def log_in(ip, agent):
        with django_capture_on_commit_callbacks(execute=True):
            Client().post(
                "/account/login/",
                {"login": alice.email, "password": PASSWORD},
                REMOTE_ADDR=ip,
                headers={"user-agent": agent},
            )

    firefox = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"
    log_in("192.0.2.7", firefox)
    log_in("192.0.2.9", firefox.replace("140", "141"))  # the same network, a newer version
    assert not Audit.objects.in_workspace(acme).exists()
    log_in("203.0.113.5", firefox)
    found = Audit.objects.in_workspace(acme).get()
    assert (found.action, found.actor_id, found.data["ip"]) == (
        "member.login",
        alice.pk,
        "203.0.113.5",
    )
    assert "Firefox on Linux" in mailoutbox[0].body
    assert mailoutbox[0].to == [alice.email]
    log_in("203.0.113.5", firefox)
    assert Audit.objects.in_workspace(acme).count() == 1


def test_the_page_filters_by_who_what_and_when(login, alice, bob, acme):
    audit.record(workspace=acme, action="member.role", actor=alice, target="from alice")
    audit.record(workspace=acme, action="key.revoked", actor=bob, target="from bob")
    audit.record(workspace=acme, action="key.revoked", target="from a command")
    client = login(alice)

    def seen(**query):
        page = client.get("/w/acme/audit/", query).text
        return [words for words in ("from alice", "from bob", "from a command") if words in page]

    assert len(seen()) == 3
    assert seen(who=f"user:{alice.pk}") == ["from alice"]
    assert seen(who="none") == ["from a command"]
    assert seen(what="key.revoked") == ["from bob", "from a command"]
    assert seen(what="key.revoked", who=f"user:{bob.pk}") == ["from bob"]
    today = timezone.now().date()
    assert len(seen(since=today, until=today)) == 3
    assert seen(since=today + timedelta(days=1)) == []
    assert len(seen(who="user:nonsense", what="'; DROP", since="soon")) == 3


def test_a_long_log_is_paged_in_few_queries(login, alice, acme, django_assert_max_num_queries):
    for number in range(120):
        audit.record(workspace=acme, action="member.role", actor=alice, target=f"row-{number:03}")
    client = login(alice)
    client.get("/w/acme/members/")  # notes the visit, once a minute
    with django_assert_max_num_queries(12):
        page = client.get("/w/acme/audit/")
    assert "row-119" in page.text
    assert "row-069" not in page.text
    older = client.get("/w/acme/audit/", {"cursor": page.context["page"].next})
    assert "row-069" in older.text
    assert "row-119" not in older.text


def test_erased_details_are_shown_as_such(login, alice, chain):
    audit.erase(Audit.objects.in_workspace(chain))
    assert "details erased" in login(alice).get("/w/acme/audit/").text


def export(client, **data) -> str:
    response = client.post("/w/acme/audit/export/", data)
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def test_export_as_json_lines(login, alice, chain):
    rows = [json.loads(line) for line in export(login(alice), format="jsonl").splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[0]["actor"] == "alice@example.com"
    assert rows[0]["after"] == {"n": 0}
    assert (rows[5]["action"], rows[5]["target"]) == ("export", "audit log")


def test_export_as_csv_is_filtered_and_safe_in_a_spreadsheet(login, alice, acme):
    audit.record(workspace=acme, action="deletion", actor=alice, target="=HYPERLINK(1)")
    audit.record(workspace=acme, action="member.left", actor=alice, target='a "quoted",\nname')
    rows = list(csv.DictReader(io.StringIO(export(login(alice), format="csv", what="deletion"))))
    assert [row["target"] for row in rows] == ["'=HYPERLINK(1)"]
    rows = list(csv.DictReader(io.StringIO(export(login(alice), format="csv", what="member.left"))))
    assert [row["target"] for row in rows] == ['a "quoted",\nname']


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_writers_at_once_leave_no_gap(acme):
    start = threading.Barrier(4)

    def write():
        start.wait(10)
        for _ in range(10):
            with workspace_scope(acme.pk):
                audit.record(workspace=acme, action="member.left")
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with as_owner():
        assert audit.head(acme).seq == 40
        assert problems(acme) == []
