"""What is kept about a person, for that person."""

from __future__ import annotations

import json

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from tests.moving.teams import make_team
from workspaces.models import ApiKey, Membership, User

pytestmark = pytest.mark.django_db


def fetch(client):
    response = client.post("/account/data/")
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    text = b"".join(response.streaming_content).decode()
    return json.loads(text), text


def test_a_person_gets_what_is_theirs_and_no_more(tmp_path, login):
    team, other = make_team("team", tmp_path), make_team("other", tmp_path)
    ben = User.objects.get(email="ben@team.example")
    Membership.unscoped.create(workspace=other, user=ben, role="viewer")
    secret = generate_totp_secret()
    TOTP.activate(ben, secret)
    told, text = fetch(login(ben))
    assert told["account"]["email"] == "ben@team.example"
    assert [each["type"] for each in told["second_factors"]] == ["totp"]
    assert len(told["browsers"]) <= 1
    assert [(w["slug"], w["role"]) for w in told["workspaces"]] == [
        ("other", "viewer"), ("team", "member"),
    ]  # fmt: skip
    mine = told["workspaces"][1]
    (frame,) = mine["frames"]
    assert (frame["name"], frame["visibility"]) == ("Secret plan", "private")
    assert [a["text"] for a in frame["anchors"]] == ["Secret anchor"]
    assert [t["title"] for t in frame["tasks"]] == ["Secret task"]
    assert [json.loads(e["payload"])["text"] for e in mine["events"]] == [
        f"Secret {n}" for n in range(3)
    ]
    assert [h["message"] for h in mine["hand_offs"]] == ["Yours"]
    assert told["workspaces"][0]["frames"] == []
    assert "Naïve" not in text  # nobody's in particular: the team's
    for hidden in (secret, ben.password, ApiKey.objects.in_workspace(team).get().digest):
        assert hidden not in text


def test_what_the_log_says_of_them_is_in_it_after_they_have_left(acme, alice, bob, login):
    login(alice).post(
        f"/w/acme/members/{Membership.unscoped.get(user=bob).pk}/role/", {"role": "viewer"}
    )
    Membership.unscoped.filter(user=bob).delete()
    told, text = fetch(login(bob))
    assert told["workspaces"] == []
    done_to_them = [entry for entry in told["audit"] if not entry["by_you"]]
    assert all(set(e) == {"workspace", "at", "action", "by_you"} for e in done_to_them)
    assert "alice@example.com" not in text
    told, _ = fetch(login(alice))
    assert [e["action"] for e in told["audit"] if e["by_you"]] == ["member.role"]
    assert login(alice).get("/account/data/").status_code == 200
