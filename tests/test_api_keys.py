"""API keys: the format, who is recognised by one, rotation, revocation, the page, the command."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from frames.models import Project
from workspaces import api_keys
from workspaces.models import ApiKey, Audit

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(acme, alice) -> tuple[ApiKey, str]:
    return api_keys.create(workspace=acme, name="bot", scopes=["write", "read"], actor=alice)


def shown_key(page) -> str:
    return re.search(r"sm_\w{10}_\w{38}", page.text).group()


def test_format(key):
    row, text = key
    assert api_keys.PATTERN.fullmatch(text)
    assert text.startswith(f"sm_{row.public}_")
    assert len(text) == 52
    assert text[-6:] == api_keys.checksum(text[:-6])
    assert row.scopes == ["read", "write"]


def test_checksum_is_crc32_in_base62():
    # CRC-32 of the nine digits is the check value every description of it gives.
    value = 0
    for digit in api_keys.checksum("123456789"):
        value = value * 62 + api_keys.ALPHABET.index(digit)
    assert value == 0xCBF43926
    assert api_keys.checksum("") == "000000"


def test_the_secret_is_stored_nowhere(key):
    row, text = key
    stored = str(ApiKey.unscoped.values().get()) + str(list(Audit.unscoped.values()))
    assert text not in stored
    assert text[14:] not in stored
    assert text not in f"{row} {row!r}"


def test_a_key_is_recognised(key, acme):
    row, text = key
    found = api_keys.authenticate(text)
    assert found == row
    assert found.workspace == acme


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: "",
        lambda t: "sm_",
        lambda t: t[:-1],
        lambda t: t + "0",
        lambda t: t[:20] + ("a" if t[20] != "a" else "b") + t[21:],
        lambda t: t[:20] + t[21] + t[20] + t[22:] if t[20] != t[21] else "",
        lambda t: t.upper(),
        lambda t: f" {t}",
        lambda t: f"{t}\n",
        lambda t: "é" * 52,
        lambda t: "x" * 100_000,
        lambda t: "\x00",
    ],
)
def test_typos_and_truncations_cost_no_query(key, spoil, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert api_keys.authenticate(spoil(key[1])) is None


def test_guesses_with_a_known_and_an_unknown_public_part_cost_the_same(
    key, django_assert_max_num_queries
):
    _, text = key
    body = text[:14] + "0" * 32
    known = body + api_keys.checksum(body)
    body = "sm_0000000000_" + "0" * 32
    unknown = body + api_keys.checksum(body)
    costs = []
    for guess in (known, unknown):
        with django_assert_max_num_queries(6) as captured:
            assert api_keys.authenticate(guess) is None
        costs.append(len(captured))
    assert costs[0] == costs[1]


def test_revoked_expired_and_deleted_are_refused(key, acme):
    row, text = key
    rows = ApiKey.unscoped.filter(pk=row.pk)
    now = timezone.now()
    rows.update(revoked_at=now)
    assert api_keys.authenticate(text) is None
    rows.update(revoked_at=None, expires_at=now - timedelta(seconds=1))
    assert api_keys.authenticate(text) is None
    rows.update(expires_at=now + timedelta(days=1))
    assert api_keys.authenticate(text) == row
    acme.deleted_at = now
    acme.save()
    assert api_keys.authenticate(text) is None


def test_last_use_is_written_once_a_minute(key, django_assert_num_queries):
    _, text = key
    api_keys.note_use(api_keys.authenticate(text))
    first = ApiKey.unscoped.get().last_used_at
    fresh = api_keys.authenticate(text)
    with django_assert_num_queries(0):
        api_keys.note_use(fresh)
    stale = timezone.now() - timedelta(minutes=2)
    ApiKey.unscoped.update(last_used_at=stale)
    for _ in range(2):  # the second one's copy is as old, and still writes nothing
        fresh.last_used_at = stale
        api_keys.note_use(fresh)
    assert ApiKey.unscoped.get().last_used_at > first


def test_use_does_not_undo_a_revocation(key):
    _, text = key
    found = api_keys.authenticate(text)
    ApiKey.unscoped.update(revoked_at=timezone.now())
    api_keys.note_use(found)
    assert api_keys.authenticate(text) is None


def test_the_page_shows_a_new_key_once(login, alice, acme):
    client = login(alice)
    data = {"name": "CI", "scopes": ["read"], "project": "", "expires": "30"}
    page = client.post("/w/acme/keys/new/", data)
    text = shown_key(page)
    assert page.status_code == 201
    assert "no-store" in page["Cache-Control"]
    assert api_keys.authenticate(text).name == "CI"
    listed = client.get("/w/acme/keys/").text
    assert text not in listed
    assert f"sm_{text[3:13]}_…" in listed
    assert Audit.objects.in_workspace(acme).get().action == "key.created"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "required"),
        ({"scopes": []}, "required"),
        ({"scopes": ["root"]}, "not one of the available"),
        ({"expires": "9999"}, "not one of the available"),
    ],
)
def test_a_refused_form_says_why(login, alice, acme, change, words):
    data = {"name": "CI", "scopes": ["read"], "project": "", "expires": "30"} | change
    page = login(alice).post("/w/acme/keys/new/", data)
    assert page.status_code == 422
    assert words in page.text
    assert not ApiKey.unscoped.exists()


def test_a_key_is_tied_to_a_project_of_its_own_workspace_only(login, alice, acme, globex):
    ours = Project.unscoped.create(workspace=acme, slug="api", name="Api")
    theirs = Project.unscoped.create(workspace=globex, slug="secret", name="Secret")
    client = login(alice)
    assert "Secret" not in client.get("/w/acme/keys/").text
    data = {"name": "CI", "scopes": ["read"], "expires": "30"}
    assert client.post("/w/acme/keys/new/", data | {"project": theirs.pk}).status_code == 422
    client.post("/w/acme/keys/new/", data | {"project": ours.pk})
    assert ApiKey.unscoped.get().project_id == ours.pk


def test_rotation_overlaps(login, alice, acme, key):
    row, text = key
    page = login(alice).post(f"/w/acme/keys/{row.pk}/rotate/")
    new = api_keys.authenticate(shown_key(page))
    old = api_keys.authenticate(text)
    assert new != old
    assert (new.name, new.scopes) == (old.name, old.scopes)
    assert timedelta(hours=23) < old.expires_at - timezone.now() <= timedelta(hours=24)
    assert old.replaced_by == new
    again = login(alice).post(f"/w/acme/keys/{row.pk}/rotate/", follow=True)
    assert "revoked, replaced" in again.text
    assert ApiKey.unscoped.count() == 2


def test_rotation_keeps_lifetime_and_never_prolongs_the_old_key(login, alice, acme):
    row, _ = api_keys.create(
        workspace=acme, name="bot", scopes=["read"], expires_at=timezone.now() + timedelta(hours=2)
    )
    login(alice).post(f"/w/acme/keys/{row.pk}/rotate/")
    before = row.expires_at
    row.refresh_from_db()
    assert row.expires_at == before
    lifetime = row.replaced_by.expires_at - timezone.now()
    assert timedelta(minutes=119) < lifetime <= timedelta(hours=2)


def test_revocation_is_immediate(login, alice, acme, key):
    row, text = key
    client = login(alice)
    page = client.post(f"/w/acme/keys/{row.pk}/revoke/", follow=True)
    assert "is revoked" in page.text
    assert api_keys.authenticate(text) is None
    client.post(f"/w/acme/keys/{row.pk}/revoke/")
    log = Audit.objects.in_workspace(acme).order_by("seq").values_list("action", flat=True)
    assert list(log) == ["key.created", "key.revoked"]


def test_another_teams_key_is_not_found(login, alice, globex):
    theirs, text = api_keys.create(workspace=globex, name="x", scopes=["read"])
    client = login(alice)
    for action in ("rotate", "revoke"):
        assert client.post(f"/w/acme/keys/{theirs.pk}/{action}/").status_code == 404
    assert api_keys.authenticate(text) == theirs


def test_many_keys_cost_as_many_queries_as_few(login, alice, acme, django_assert_max_num_queries):
    for number in range(60):
        api_keys.create(workspace=acme, name=f"k{number}", scopes=["read"], actor=alice)
    client = login(alice)
    with django_assert_max_num_queries(12):
        client.get("/w/acme/keys/")


def run(*args: str) -> str:
    out = StringIO()
    call_command("create_api_key", *args, stdout=out)
    return out.getvalue()


def test_command_makes_a_key(acme):
    project = Project.unscoped.create(workspace=acme, slug="api", name="Api")
    line = run(
        "--workspace",
        "acme",
        "--name",
        "CI",
        "--scopes",
        "write, read",
        "--project",
        "api",
        "--json",
    )
    data = json.loads(line)
    found = api_keys.authenticate(data["key"])
    assert (found.name, found.scopes, found.project_id) == ("CI", ["read", "write"], project.pk)
    assert (data["status"], data["scopes"], data["project"]) == ("ok", ["read", "write"], "api")
    words = run("--workspace", "acme", "--name", "CI", "--scopes", "admin")
    assert api_keys.authenticate(words.split()[0]).scopes == ["admin"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--workspace", "nope", "--name", "x", "--scopes", "read"], "no workspace “nope”"),
        (["--workspace", "acme", "--name", "x", "--scopes", "root"], "Unknown scope: root"),
        (["--workspace", "acme", "--name", "x", "--scopes", ","], "at least one scope"),
        (["--workspace", "acme", "--name", " ", "--scopes", "read"], "needs a name"),
        (["--workspace", "acme", "--name", "x", "--scopes", "read", "--project", "p"], "no project “p”"),
        (["--workspace", "acme", "--name", "x", "--scopes", "read", "--expires-days", "0"], "between"),
    ],
)  # fmt: skip
def test_command_explains_a_refusal(acme, globex, args, words):
    Project.unscoped.create(workspace=globex, slug="p", name="P")
    with pytest.raises(CommandError, match=words) as caught:
        run(*args)
    assert caught.value.returncode == 2
    assert not ApiKey.unscoped.exists()
