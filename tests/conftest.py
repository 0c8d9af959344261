"""The cast: alice owns acme, bob is a member, viola a viewer; charlie belongs to globex alone."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.client import ClientHandler
from django.test.utils import override_settings

from stackmemory.lib.tenancy import APP, Scope, as_owner
from tests.append_only import let_flush_through
from tests.databases import OwnDatabase
from tests.tables import ready_made
from workspaces.models import Membership, User, Workspace

PASSWORD = "correct horse battery staple"
# Uploads and objects, where settings.py puts them (tests/engine.py says in which folder).
FILES = [Path(os.environ["VAR_DIR"]) / name for name in ("files", "objects")]
UPSTREAM_HINT = "real databases are not part of the repository"


def pytest_collection_finish() -> None:
    gc.freeze()  # what collection made stays; looking through it again and again takes seconds
    gc.set_threshold(100_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    vendor = connection.vendor
    for item in items:
        for engine in ("postgresql", "sqlite"):
            if item.get_closest_marker(f"{engine}_only") and vendor != engine:
                item.add_marker(pytest.mark.skip(reason=f"{engine} only"))
        names = getattr(item, "fixturenames", ())
        if "own_database" in names:
            item.add_marker(pytest.mark.django_db)  # else the tables it copies may not be made
        if "house" in names:
            item.add_marker(pytest.mark.xdist_group("house"))  # so that one server does for all


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> ExitStack:
    """Here, for it is the last that happens before the database is made."""
    stack = ExitStack()
    if connection.vendor == "sqlite":
        stack.enter_context(ready_made())
    return stack


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_modify_db_settings: ExitStack) -> None:
    django_db_modify_db_settings.close()
    let_flush_through()


# Tests prepare rows as the owner of the tables; what they test runs as the application's role, as it
# would in production: requests by the fixture below, commands and jobs by `as_application`.
_owner = as_owner()
_owner.__enter__()


@pytest.fixture(autouse=True)
def requests_as_application(request: pytest.FixtureRequest, monkeypatch: Any) -> None:
    if connection.vendor == "postgresql" and "_django_db_helper" in request.fixturenames:
        plain = ClientHandler.__call__

        def stepped_down(handler: ClientHandler, environ: Any) -> Any:
            with application_role():
                return plain(handler, environ)

        monkeypatch.setattr(ClientHandler, "__call__", stepped_down)


@contextmanager
def application_role() -> Iterator[None]:
    """Run the block as the role that the application has without a scope."""
    if connection.vendor != "postgresql":
        yield
        return
    connection.ensure_connection()
    before = connection.sm_scope
    role = connection.sm_roles[APP]
    connection.connection.execute("SELECT set_config('role', %s, false)", [role])
    connection.sm_scope = Scope(role=role)
    try:
        yield
    finally:
        connection.connection.execute("RESET ROLE")
        connection.sm_scope = before


@pytest.fixture
def as_application() -> Any:
    """`with as_application():` runs commands, jobs and functions as the application's role."""
    return application_role


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Cheap passwords; and no reading of all static files anew for each test's Client."""
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        WHITENOISE_AUTOREFRESH=True,
    ):
        yield


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """No test finds another's files. (A folder for each would cost more than most tests do.)"""
    for folder in FILES:
        if folder.exists():
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The database for a whole module: what its fixtures of that scope make is there for each of its
    tests, and what those do is undone one by one. For walks, which made the same anew at each step.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


def make_workspace(name: str) -> Workspace:
    return Workspace.objects.create(slug=name, name=name.title())


def make_person(name: str, workspace: Workspace | None = None, role: str = "member") -> User:
    """A user, a member where a workspace is given."""
    user = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name.title())
    if workspace is not None:
        Membership.unscoped.create(workspace=workspace, user=user, role=role)
    return user


@pytest.fixture
def acme(db: None) -> Workspace:
    return make_workspace("acme")


@pytest.fixture
def globex(db: None) -> Workspace:
    return make_workspace("globex")


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    """person("bob", acme, "member") makes a user, a member where a workspace is given."""
    return make_person


@pytest.fixture
def alice(person: Callable[..., User], acme: Workspace) -> User:
    return person("alice", acme, "owner")


@pytest.fixture
def bob(person: Callable[..., User], acme: Workspace) -> User:
    return person("bob", acme, "member")


@pytest.fixture
def viola(person: Callable[..., User], acme: Workspace) -> User:
    return person("viola", acme, "viewer")


@pytest.fixture
def charlie(person: Callable[..., User], globex: Workspace) -> User:
    return person("charlie", globex, "owner")


@pytest.fixture
def login() -> Callable[[User], Client]:
    """login(bob) is a browser in which bob is logged in."""

    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture(scope="session")
def own_database(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], OwnDatabase]:
    """own_database(folder) is a database with all tables and no rows, for processes of one's own."""
    template = tmp_path_factory.mktemp("template") / "db.sqlite3"
    if connection.vendor == "sqlite":
        with django_db_blocker.unblock(), closing(sqlite3.connect(template)) as file:
            connection.ensure_connection()
            connection.connection.backup(file)
    return partial(OwnDatabase.made, template)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory, own_database: Any) -> Iterator[Any]:
    """A served product with a database of its own; see tests/agents.py."""
    from tests.agents import House  # slow to import, and few tests need it

    home = tmp_path_factory.mktemp("house")
    house = House(own_database(home), home)
    house.prepare()
    with house.served():
        yield house
    house.database.drop()
