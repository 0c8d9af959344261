"""`manage.py create_workspace`: the operator's first command."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from workspaces.models import Membership, User, Workspace


def create(**options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("create_workspace", json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def test_new_person_gets_an_account_that_can_log_in(db):
    told = create(slug="acme", name="Acme GmbH", owner="  Ada@Example.COM ")
    assert told["status"] == "ok"
    assert told["slug"] == "acme"
    assert told["url"].endswith("/w/acme/")
    assert told["owner"] == "ada@example.com"
    assert told["account"] == "made"
    workspace = Workspace.objects.get(slug="acme")
    assert (str(workspace.id), workspace.name) == (told["id"], "Acme GmbH")
    membership = Membership.objects.in_workspace(workspace).get()
    assert (membership.user.email, membership.role) == ("ada@example.com", "owner")
    assert Client().login(username="ada@example.com", password=told["password"])


def test_existing_person_becomes_owner_and_keeps_their_password(charlie):
    before = User.objects.get(pk=charlie.pk).password
    told = create(slug="acme", name="Acme", owner="CHARLIE@example.com")
    assert (told["account"], told["password"]) == ("existing", None)
    assert User.objects.get(pk=charlie.pk).password == before
    assert User.objects.count() == 1
    assert {m.workspace.slug for m in charlie.memberships.all()} == {"globex", "acme"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slug": "acme", "name": "A", "owner": "new@example.com"}, "“acme” exists already"),
        ({"slug": "No Slug", "name": "A", "owner": "new@example.com"}, "lower-case letters"),
        ({"slug": "fine", "name": "  ", "owner": "new@example.com"}, "name: "),
        ({"slug": "fine", "name": "A", "owner": "nobody"}, "“nobody” is not an e-mail address"),
    ],
)
def test_refusals_are_one_sentence_and_write_nothing(acme, options, words):
    with pytest.raises(CommandError, match=words) as caught:
        create(**options)
    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    assert User.objects.count() == 0
    assert Workspace.objects.count() == 1


def test_words_for_people(db):
    out = io.StringIO()
    call_command("create_workspace", slug="acme", name="Acme", owner="ada@example.com", stdout=out)
    assert "/w/acme/" in out.getvalue()
    password = out.getvalue().partition("Password: ")[2].split()[0]
    assert Client().login(username="ada@example.com", password=password)
