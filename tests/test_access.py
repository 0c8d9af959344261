"""Every route as everybody: strangers, each role, operators. What each asks stands in access.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.access import NAMESPACES, ROUTES
from tests.conftest import make_person, make_workspace
from tests.things import things
from workspaces.access import PERMISSIONS
from workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST")
ROLES = ("viewer", "member", "admin", "owner")
# What routes that name nothing of a workspace get for an argument.
OTHERS = {
    "object_id": uuid4(),
    "content_type_id": 1,
    "app_label": "workspaces",
    "pk": 1,
    "id": uuid4(),
    "arrival_id": uuid4(),
    "token": "x",
    "project": "x",
}
REGEX = {
    "account_confirm_email": "account/confirm-email/MQ:abc:def/",
    "account_reset_password_from_key": "account/password/reset/key/3-abc-def/",
    "admin:admin/(?P<url>.*)$": "admin/nothing/here",
}  # fmt: skip


class Route(NamedTuple):
    name: str
    path: str

    @property
    def arguments(self) -> list[str]:
        return re.findall(r"<(?:\w+:)?(\w+)>", self.path)

    @property
    def asks(self) -> dict[str, str]:
        if self.name in ROUTES:
            return ROUTES[self.name]
        namespace = self.name.partition(":")[0]
        return NAMESPACES.get(namespace, {})  # the first test below asks for the missing line

    def url(self, values: dict[str, Any]) -> str:
        if self.name in REGEX:
            return "/" + REGEX[self.name]
        values = OTHERS | values
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda m: str(values[m[1]]), self.path)


def walk(resolver: Any, prefix: str = "", namespaces: tuple[str, ...] = ()) -> Iterator[Route]:
    """Every pattern there is; one without a name goes by its path."""
    for pattern in resolver.url_patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from walk(pattern, path, inner)
        else:
            yield Route(":".join((*namespaces, pattern.name or path)), path)


ALL = list(walk(get_resolver()))
INSIDE = [route for route in ALL if "workspace_slug" in route.arguments]
# Not a stream of ids, nor a file that is not made yet.
INSIDE_PAGES = [r for r in INSIDE if "GET" in r.asks and r.name not in ("stream", "export-file")]
NAMING = [route for route in INSIDE if len(route.arguments) > 1]


def named(routes: list[Route]) -> Any:
    return pytest.mark.parametrize("route", routes, ids=[route.name for route in routes])


@pytest.fixture(scope="module")
def acme(stage: None) -> Workspace:
    return make_workspace("acme")


@pytest.fixture(scope="module")
def globex(stage: None) -> Workspace:
    return make_workspace("globex")


@pytest.fixture(scope="module")
def ours(acme: Workspace) -> dict[str, Any]:
    return things(acme)


@pytest.fixture(scope="module")
def theirs(globex: Workspace) -> dict[str, Any]:
    return things(globex)


class Person(NamedTuple):
    user: User
    cookies: dict[str, str]


@pytest.fixture(scope="module")
def cast(acme: Workspace, globex: Workspace) -> dict[str, Person]:
    """Everybody there is to be, by what they are to acme, logged in."""
    people = {role: make_person(role, acme, role) for role in ROLES}
    operator = make_person("operator")
    User.objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
    people |= {"stranger": make_person("charlie", globex, "owner"), "operator": operator}
    return {name: Person(user, cookies_of(user)) for name, user in people.items()}


def cookies_of(user: User) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {name: cookie.value for name, cookie in client.cookies.items()}


# One for all: each would set up the middleware anew.
CLIENT = Client()


def ask(who: Person | None, method: str, url: str) -> str:
    """What the route does for this person: "login", "405", "in", … Nothing it writes is kept."""
    with transaction.atomic():
        CLIENT.cookies = SimpleCookie(who.cookies if who else {})
        response = CLIENT.generic(method, url)
        transaction.set_rollback(True)
    assert response.status_code < 500, f"{method} {url}: {response.status_code}"
    if response.status_code == 302 and re.match(r"/(account|admin)/login/", response.url):
        return "login"
    refused = (401, 403, 404, 405)
    return str(response.status_code) if response.status_code in refused else "in"


def expected(level: str | None, role: str) -> set[str]:
    """The answers that are right for somebody of this role, where the route asks `level`."""
    if level == "public":
        return {"in", "login", "401", "403", "404"}
    if level == "key":
        return {"401"}
    if role == "anonymous":
        return {"login"} if level else {"login", "405"}
    if level is None:
        return {"403", "404", "405"}
    if level == "person":
        return {"in", "404"}
    if level == "own":
        return {"404"}
    if level == "staff":
        return {"in", "403", "404", "405"} if role == "operator" else {"login"}
    if role in ("stranger", "operator"):
        return {"404"}
    return {"in"} if level in PERMISSIONS[role] else {"403"}


def test_every_route_says_who_may_use_it():
    known = set(ROUTES)
    missing = [
        r.name for r in ALL if r.name not in known and r.name.partition(":")[0] not in NAMESPACES
    ]
    assert not missing, "say in tests/access.py who may use these"
    assert not known - {route.name for route in ALL}, "these routes are gone"
    asked = {level for asks in ROUTES.values() for level in asks.values()}
    assert asked <= {"public", "person", "own", "key", "staff"} | PERMISSIONS["owner"]


@named([route for route in ALL if route not in INSIDE and not route.name.startswith("api:")])
def test_route_outside_of_workspaces(route, cast, acme):
    url = route.url({"workspace_id": acme.pk, "session_id": 0})
    who = {"anonymous": None, "owner": cast["owner"], "operator": cast["operator"]}
    for method in METHODS:
        level = route.asks.get(method)
        if level is None and not route.name.startswith("workspaces:"):
            continue  # allauth's pages answer some methods they have no use for
        for role, user in who.items():
            answer = ask(user, method, url)
            assert answer in expected(level, role), f"{method} {url} as {role}"


@named(INSIDE)
def test_route_of_a_workspace(route, cast, ours):
    url = route.url(ours)
    for method in METHODS:
        level = route.asks.get(method)
        for role, user in {"anonymous": None, **cast}.items():
            answer = ask(user, method, url)
            assert answer in expected(level, role), f"{method} {url} as {role}"


@named(NAMING)
def test_another_teams_things_are_not_found(route, cast, ours, theirs):
    """One by one, each id of the path is another team's: for the owner it is as if nobody's."""
    for argument in route.arguments[1:]:
        url = route.url(ours | {argument: theirs[argument]})
        for method in route.asks:
            assert ask(cast["owner"], method, url) == "404", f"{method} {url}"
    elsewhere = route.url(theirs | {"workspace_slug": "globex"})
    for method in route.asks:
        assert ask(cast["owner"], method, elsewhere) == "404"


@named(INSIDE)
def test_a_deleted_workspace_is_closed_to_its_owner(route, cast, acme, ours):
    url = route.url(ours)
    Workspace.objects.filter(pk=acme.pk).update(deleted_at=acme.created_at)
    for method in METHODS:
        assert ask(cast["owner"], method, url) == "404"


def test_a_login_that_was_switched_off_is_out(cast, login):
    owner = cast["owner"].user
    client = login(owner)
    assert client.get("/w/acme/members/").status_code == 200
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert client.get("/w/acme/members/").status_code == 302


def test_every_role_of_the_table_is_tried():
    assert set(PERMISSIONS) == set(ROLES)
