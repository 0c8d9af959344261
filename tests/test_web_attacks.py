"""Attacks on the pages, kept as tests. Those on keys and invitations stand beside them in
test_api_keys.py and test_invitations.py; wrong roles and foreign ids in paths, in test_access.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client

from frames.models import AgentSession, Anchor, Event, Frame, Project, Task, Transfer, TransferItem
from stackmemory.lib.row_security import tenant_models
from tests.conftest import PASSWORD, make_person, make_workspace
from tests.test_access import ALL, INSIDE, INSIDE_PAGES, OTHERS
from tests.test_csp import inline, policy
from tests.things import things
from workspaces import api_keys, audit, invitations
from workspaces.models import ApiKey, Invitation, User, Workspace
from workspaces.origin import client_ip

pytestmark = pytest.mark.django_db
EVIL = "https://evil.example/"


@pytest.fixture(scope="module")
def ours(stage) -> dict[str, Any]:
    team = make_workspace("acme")
    make_person("alice", team, "owner")
    return things(team)


@pytest.fixture(scope="module")
def theirs(stage) -> dict[str, Any]:
    team = make_workspace("globex")
    make_person("charlie", team, "owner")
    return things(team)


@pytest.fixture
def acme(ours) -> Workspace:
    return Workspace.objects.get(slug="acme")


@pytest.fixture
def globex(theirs) -> Workspace:
    return Workspace.objects.get(slug="globex")


@pytest.fixture
def alice(acme) -> User:
    return User.objects.get(email="alice@example.com")


@pytest.fixture
def charlie(globex) -> User:
    return User.objects.get(email="charlie@example.com")


@pytest.fixture(autouse=True)
def fresh_limits():
    cache.clear()


@pytest.fixture(scope="module")
def snapshot(ours, theirs) -> Callable[[], dict[str, list[Any]]]:
    """snapshot() is every row that globex has. (Queries that are made once: this is asked after each
    route, and their making takes longer than the rows.)"""
    workspace = Workspace.objects.get(slug="globex")
    of_it = [model._default_manager.filter(workspace=workspace) for model in tenant_models()]
    wanted = [query.values_list() for query in (*of_it, Workspace.objects.filter(pk=workspace.pk))]
    texts = [query.query.sql_with_params() for query in wanted]
    names = [query.model._meta.label for query in wanted]

    def rows() -> dict[str, list[Any]]:
        found = {}
        with connection.cursor() as cursor:
            for name, text in zip(names, texts, strict=True):
                cursor.execute(*text)
                found[name] = sorted(map(str, cursor.fetchall()))
        return found

    return rows


@pytest.fixture(scope="module")
def before(snapshot) -> dict[str, list[Any]]:
    """What it had before anybody came, as each test finds it again."""
    found = snapshot()
    assert found["frames.Frame"], "or there is nothing to compare"
    return found


# --- ids of another tenant, and more fields than a form has -------------------------------------


@pytest.mark.parametrize("route", [r for r in INSIDE if "POST" in r.asks], ids=lambda r: r.name)
def test_no_field_of_a_post_reaches_another_workspace(
    route, login, alice, charlie, globex, ours, theirs, before, snapshot
):
    """Every field that names something names another team's, under each name it might go by."""
    member = globex.memberships.get(user=charlie)
    hostile = {name: value for name, value in theirs.items() if name != "workspace_slug"}
    hostile |= {name.removesuffix("_id"): value for name, value in theirs.items()}
    hostile |= {
        "workspace": globex.pk, "workspace_id": globex.pk, "id": member.pk, "pk": member.pk,
        "slug": "acme", "name": "Mine now", "typed": "acme", "role": "viewer",
        "member": member.pk, "user": charlie.pk, "email": "new@example.com",
        "scopes": ["read"], "expires": "30", "who": f"user:{charlie.pk}",
        "deleted_at": "2020-01-01", "is_staff": "1", "is_superuser": "1",
    }  # fmt: skip
    response = login(alice).post(route.url(ours), hostile)
    assert response.status_code < 500
    if response.streaming:
        list(response.streaming_content)
    assert snapshot() == before
    assert not User.objects.filter(is_staff=True).exists()


FILTERS = ("project", "session", "person", "owner", "frame", "parent", "q", "type", "at", "anchor")


@pytest.mark.parametrize("route", [r for r in INSIDE if "GET" in r.asks], ids=lambda r: r.name)
def test_no_filter_shows_another_workspace(route, login, alice, charlie, globex, ours, theirs):
    mark(globex, "globex-secret")
    client = login(alice)
    url = route.url(ours)
    for name in FILTERS:
        value = theirs.get(f"{name}_id") or (charlie.pk if name == "person" else "globex")
        page = client.get(url, {name: str(value)})
        assert page.status_code in (200, 204, 302, 400, 404), f"{url}?{name}={value}"
        assert "globex-secret" not in page.text
    page = client.get(url, {"project": theirs["project_slug"], "owner": str(charlie.pk)})
    assert page.status_code in (200, 204, 302, 400, 404), url
    assert "globex-secret" not in page.text


def mark(workspace: Workspace, text: str) -> None:
    """Write `text` wherever this workspace holds words."""
    for model, names in TEXTS.items():
        model._default_manager.filter(workspace=workspace).update(**dict.fromkeys(names, text))


TEXTS: dict[type, tuple[str, ...]] = {
    Project: ("name", "repo_url"),
    AgentSession: ("client", "branch", "host"),
    Frame: ("name", "type", "state", "digest_text", "source_project"),
    Event: ("type", "tool", "payload"),
    Anchor: ("text", "type"),
    Task: ("title", "status", "priority"),
    Transfer: ("name", "error"),
    TransferItem: ("table", "reason", "source_id"),
    ApiKey: ("name",),
}


def test_a_cursor_of_another_workspace_leads_nowhere_else(login, alice, charlie, acme, globex):
    for workspace, words in ((acme, "ours"), (globex, "theirs")):
        for _ in range(60):
            audit.record(workspace=workspace, action="deletion", target=words)
    stolen = login(charlie).get("/w/globex/audit/").context["page"].next
    page = login(alice).get("/w/acme/audit/", {"cursor": stolen})
    assert page.status_code == 200
    assert "theirs" not in page.text
    for rubbish in ("%%%", "a" * 5000, "WyJmIiwxZTk5OV0", "\x00"):
        assert login(alice).get("/w/acme/audit/", {"cursor": rubbish}).status_code == 200


# --- stored XSS ---------------------------------------------------------------------------------

XSS = "\"'><script>alert(document.domain)</script><img src=x onerror=alert(1)>{{ 7|add:7 }}"


@pytest.fixture
def poisoned(acme, alice, ours) -> dict[str, Any]:
    """A workspace whose every word is an attack."""
    mark(acme, XSS[:100])
    Project.unscoped.filter(workspace=acme).update(repo_url="javascript:alert(1)")
    Frame.unscoped.filter(workspace=acme).update(
        inputs={XSS: XSS},
        outputs={"x": [XSS]},
        digest={"summary": XSS, XSS: [XSS]},
        metadata={XSS: XSS},
    )
    payload = '{"content": "<script>alert(1)</script>", "<img src=x>": ["<b onclick=alert(1)>"]}'
    Event.unscoped.filter(workspace=acme).update(type="user_message", payload=payload)
    TransferItem.unscoped.filter(workspace=acme).update(content={XSS: XSS})
    Workspace.objects.filter(pk=acme.pk).update(name=XSS[:100])
    User.objects.update(name=XSS)
    Invitation.unscoped.update(email='"<script>alert(1)</script>"@example.com')
    audit.record(
        workspace=acme, action="deletion", target=XSS, before={XSS: XSS}, after={XSS: [XSS]}
    )
    return ours


def test_no_page_runs_what_was_stored(poisoned, login, alice, acme):
    alice.refresh_from_db()
    client = Client(headers={"user-agent": f"Mozilla {XSS}"})
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    audit_routes = [r.url(poisoned) for r in INSIDE_PAGES]
    for url in [*audit_routes, "/workspaces/", "/account/", "/account/sessions/"]:
        page = client.get(url)
        assert page.status_code == 200, url
        check_harmless(page, url)


def check_harmless(page: Any, url: str) -> None:
    if page["Content-Type"].startswith(("application/json", "text/plain")):
        assert page["X-Content-Type-Options"] == "nosniff"
        return
    assert page["Content-Type"].startswith("text/html"), url
    assert "<script>alert" not in page.text, url
    assert "<img src=x" not in page.text, url
    assert "<b onclick" not in page.text, url
    assert inline(page.text, policy(page)) == [], url


def test_public_pages_do_not_run_what_was_stored(poisoned, acme, rf, alice):
    token = "a-token"
    Invitation.unscoped.filter(workspace=acme).update(
        token_digest=invitations._digest(token), expires_at="2099-01-01T00:00Z"
    )
    check_harmless(Client().get(f"/invitations/{token}/"), "invitation")
    page = Client().get("/account/login/", {"next": XSS, "login": XSS})
    check_harmless(page, "login")


def test_refused_forms_do_not_run_what_was_typed(login, alice, acme):
    client = login(alice)
    for url, data in {
        "/w/acme/settings/": {"name": XSS, "slug": XSS},
        "/w/acme/invitations/": {"email": XSS, "role": XSS},
        "/w/acme/settings/delete/": {"typed": XSS},
        "/w/acme/keys/new/": {"name": XSS, "scopes": XSS, "project": XSS, "expires": XSS},
        "/workspaces/new/": {"name": XSS, "slug": XSS},
    }.items():
        check_harmless(client.post(url, data), url)
    check_harmless(client.get("/w/acme/audit/", {"who": XSS, "what": XSS, "since": XSS}), "audit")
    check_harmless(client.get(f"/w/acme/{XSS}/"), "404")


def test_mails_carry_no_markup_of_people(login, alice, acme, django_capture_on_commit_callbacks):
    User.objects.update(name=XSS)
    Workspace.objects.update(name="Acme\r\nBcc: everybody@example.com")
    with django_capture_on_commit_callbacks(execute=True):
        login(alice).post("/w/acme/invitations/", {"email": "d@example.com", "role": "member"})
    message = mail.outbox[0]
    assert "<script>" not in message.alternatives[0][0]
    assert message.recipients() == ["d@example.com"]
    assert "\n" not in message.subject


# --- sessions, CSRF, redirects, host ------------------------------------------------------------


def test_a_session_fixed_before_login_is_worthless(client, alice):
    client.get("/account/login/")
    client.session["planted"] = "1"
    session = client.session
    session["planted"] = "1"
    session.save()
    client.cookies["sessionid"] = planted = session.session_key
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert client.cookies["sessionid"].value != planted
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert thief.get("/account/").status_code == 302


def test_a_session_ends_with_the_password(client, alice):
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    alice.set_password("something else entirely")
    alice.save()
    assert client.get("/account/").status_code == 302


def test_session_cookie_is_out_of_reach_for_scripts(client, alice):
    client.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


# Keys travel in a header that no other site can set, so what wants one wants no token.
POSTED = [
    route
    for route in ALL
    if route.asks.get("POST", "key") != "key" and not route.name.startswith("admin:")
]


@pytest.mark.parametrize("route", POSTED, ids=lambda r: r.name)
def test_every_post_wants_a_csrf_token(route, alice, ours):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    values = dict(ours)
    if route.name == "workspaces:session-end":  # there it is a login, and a number
        values["session_id"] = 1
    assert client.post(route.url(OTHERS | values)).status_code == 403
    forged = client.post(
        route.url(OTHERS | values), {"csrfmiddlewaretoken": "a" * 64}, headers={"origin": EVIL}
    )
    assert forged.status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "///evil.example", "http:evil.example",
        "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "https:evil.example",
        "\t//evil.example", "http://testserver@evil.example/", "/%09/evil.example", "data:text/html,x",
    ],
)  # fmt: skip
def test_next_leads_nowhere_else(target, client, alice, person):
    def leaves(response) -> bool:
        where = response.headers.get("Location", "/")
        return not re.match(r"/(?![/\\\t])", where)

    data = {"login": alice.email, "password": PASSWORD, "next": target}
    assert not leaves(client.post("/account/login/", data))
    assert not leaves(client.get("/account/login/", {"next": target}))
    assert not leaves(client.post("/account/logout/", {"next": target}))
    signup = {"name": "E", "email": "e@example.com", "password1": "a long enough secret"}
    assert not leaves(Client().post("/account/signup/", signup | {"next": target}))


def test_a_host_nobody_knows_is_refused(client, alice):
    assert client.get("/account/login/", headers={"host": "evil.example"}).status_code == 400
    data = {"email": alice.email}
    evil = {"host": "evil.example"}
    assert client.post("/account/password/reset/", data, headers=evil).status_code == 400
    assert not mail.outbox


def test_forwarded_host_does_not_reach_mails(
    client, login, alice, acme, django_capture_on_commit_callbacks
):
    evil = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    client.post("/account/password/reset/", {"email": alice.email}, headers=evil)
    with django_capture_on_commit_callbacks(execute=True):
        login(alice).post(
            "/w/acme/invitations/", {"email": "d@example.com", "role": "member"}, headers=evil
        )
    assert len(mail.outbox) == 2
    assert not any("evil" in message.body for message in mail.outbox)


def test_forwarded_addresses_are_believed_only_of_as_many_proxies_as_were_said(rf, settings):
    request = rf.get(
        "/", REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "6.6.6.6, 203.0.113.9"}
    )
    assert client_ip(request) == "10.0.0.1"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert client_ip(request) == "203.0.113.9"


def test_a_key_in_the_address_is_not_a_login(acme, alice):
    _, text = api_keys.create(workspace=acme, name="bot", scopes=["admin"], actor=alice)
    for attempt in (
        Client().get("/w/acme/members/", {"key": text}),
        Client().get("/w/acme/members/", headers={"authorization": f"Bearer {text}"}),
    ):
        assert attempt.status_code == 302
