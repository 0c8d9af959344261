"""The SQL side of scoping: on whose behalf a transaction runs, and about which workspace.

On PostgreSQL a scope is a role and a few settings that last until the transaction ends, which the
policies of lib/row_security.py read; so it holds behind a transaction pooler too. Without a scope
the application's role sees no tenant row. SQLite has nothing of the kind: there a scope is just a
transaction, and only how objects are reached keeps workspaces apart (docs/security.md).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

APP, SYSTEM = "stackmemory_app_", "stackmemory_system_"
_owner = threading.local()
# Called at the end of the outermost scope, inside its transaction, if it is to be committed: for
# what must come last in it.
last_words: list[Callable[[], None]] = []


class Waiting:
    """What the last words are about, given to `transaction.on_commit`: undone with its savepoint."""

    said = False

    def __call__(self) -> None:
        """Nothing is left to do after the commit."""


WaitingT = TypeVar("WaitingT", bound=Waiting)


def still_waiting(kind: type[WaitingT]) -> list[WaitingT]:
    """What of this kind the transaction has gathered since it was last asked."""
    found = [
        each for _, each, *_ in connection.run_on_commit if isinstance(each, kind) and not each.said
    ]
    for each in found:
        each.said = True
    return found


@dataclass(frozen=True)
class Scope:
    """What a transaction is about. `role` is "" where the database has no roles of ours."""

    role: str = ""
    workspace: str = ""
    person: str = ""
    secret: str = ""


# The settings policies read, by the field that fills them.
SETTINGS = {
    "role": "role",
    "workspace": "app.workspace_id",
    "person": "app.person_id",
    "secret": "app.secret",
}


@contextmanager
def workspace_scope(workspace_id: uuid.UUID, *, reading: bool = False) -> Iterator[None]:
    """Run the block in one transaction that is about this workspace and no other.

    `reading` promises that it writes nothing, so that on SQLite it need not wait for who does.
    """
    with _scope(kind=APP, workspace=str(workspace_id), reading=reading):
        yield


def in_scope() -> bool:
    """Whether a scope is open, at whose end `last_words` will be called."""
    return getattr(connection, "sm_depth", 0) > 0


def is_about(workspace_id: uuid.UUID) -> bool:
    """Whether the scope we are in is about this workspace, or need not be about any."""
    if connection.vendor != "postgresql":
        return True
    scope = _current(connection)
    return not scope.role.startswith(APP) or scope.workspace == str(workspace_id)


def person() -> str:
    """On whose behalf we are in a scope; "" for nobody's in particular."""
    return _current(connection).person if connection.vendor == "postgresql" else ""


@contextmanager
def workspace_snapshot(workspace_id: uuid.UUID) -> Iterator[None]:
    """A scope for reading much: all of it as it was at one moment, whatever is written meanwhile.

    Nothing may be written inside. Within another transaction it sees what that one sees.
    """
    with ExitStack() as block:
        if connection.vendor == "postgresql" and not connection.in_atomic_block:
            block.enter_context(transaction.atomic())
            with connection.cursor() as cursor:  # before any query of the transaction
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        block.enter_context(workspace_scope(workspace_id, reading=True))
        yield


@contextmanager
def person_scope(person_id: uuid.UUID) -> Iterator[None]:
    """For what comes before a workspace is known: the memberships of one person.

    A workspace may be entered inside, by `enter_workspace`.
    """
    with _scope(kind=APP, person=str(person_id)):
        yield


@contextmanager
def secret_scope(digest: str) -> Iterator[None]:
    """See the one API key or invitation whose secret has this hex digest, and nothing else."""
    with _scope(kind=APP, secret=digest):
        yield


@contextmanager
def system_scope() -> Iterator[None]:
    """See every workspace: for commands, jobs that span workspaces, and the operators' admin."""
    with _scope(kind=SYSTEM):
        yield


def enter_workspace(workspace_id: uuid.UUID) -> None:
    """Narrow the scope we are in to a workspace too, until it ends."""
    if connection.vendor == "postgresql":
        now = _current(connection)
        _change(connection, now, replace(now, workspace=str(workspace_id)))


@contextmanager
def as_owner() -> Iterator[None]:
    """Stay the role that logged in, which owns the tables: for migrations and tests' set-up."""
    before, _owner.active = getattr(_owner, "active", False), True
    switched = connection.connection is not None and connection.vendor == "postgresql"
    if switched:
        _execute(connection, "RESET ROLE")
    try:
        yield
    finally:
        _owner.active = before
        if connection.connection is not None and not before and connection.vendor == "postgresql":
            step_down(connection=connection)


def step_down(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Called for every new connection: become the role that can bypass nothing, if it exists.

    A role set for the session would be lost behind a transaction pooler. There, log in as a role
    that is nothing more to begin with (`setup_database --app-login`); it is left as it is.
    """
    if connection.vendor != "postgresql":
        return
    session = connection.connection
    with connection.cursor() as cursor:
        if not getattr(session, "sm_roles", None):
            # One round trip: the roles, if they were made and the login is a member of them.
            cursor.execute(
                "SELECT a.rolname, s.rolname, coalesce((SELECT pg_has_role(session_user, relowner,"
                " 'USAGE') FROM pg_class WHERE oid = to_regclass('workspaces_membership')), false)"
                " FROM pg_roles a JOIN pg_roles s ON s.rolname = %s || current_database()"
                " WHERE a.rolname = %s || current_database() AND pg_has_role(a.oid, 'MEMBER')",
                [SYSTEM, APP],
            )
            row = cursor.fetchone()
            session.sm_roles = {APP: row[0], SYSTEM: row[1]} if row else {}
            session.sm_lesser = row[0] if row and row[2] else ""
            session.sm_role = ""
        # A pool hands sessions on: what this one was left as is what it still is.
        wanted = "" if getattr(_owner, "active", False) else session.sm_lesser
        if wanted != session.sm_role:
            cursor.execute("SELECT set_config('role', %s, false)", [wanted or "none"])
            # A transaction around us may yet take it back: then nobody knows.
            session.sm_role = None if connection.in_atomic_block else wanted
    connection.sm_roles = session.sm_roles  # type: ignore[attr-defined]
    connection.sm_scope = Scope(role=wanted)  # type: ignore[attr-defined]


@contextmanager
def _scope(
    *, kind: str, workspace: str = "", person: str = "", secret: str = "", reading: bool = False
) -> Iterator[None]:
    if connection.vendor != "postgresql":
        with _sqlite_transaction(reading), _ending():
            yield
        return
    connection.ensure_connection()
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        before = _current(connection)
        role = connection.sm_roles.get(kind, "")  # type: ignore[attr-defined]
        _change(connection, before, Scope(role, workspace, person or before.person, secret))
        try:
            with _ending():
                yield
        except BaseException:
            # The savepoint or transaction that ends now takes the settings back by itself.
            connection.sm_scope = before  # type: ignore[attr-defined]
            raise
        if outermost or connection.needs_rollback:
            connection.sm_scope = before  # type: ignore[attr-defined]
        else:
            _change(connection, _current(connection), before)


@contextmanager
def _ending() -> Iterator[None]:
    """Count how deep we are; on the way out of the outermost scope, let the last words be said."""
    connection.sm_depth = depth = getattr(connection, "sm_depth", 0) + 1  # type: ignore[attr-defined]
    try:
        yield
        if depth == 1 and not connection.needs_rollback:
            for say in last_words:
                say()
    finally:
        connection.sm_depth = depth - 1  # type: ignore[attr-defined]


@contextmanager
def _sqlite_transaction(reading: bool) -> Iterator[None]:
    connection.ensure_connection()  # which sets the mode
    with ExitStack() as block:
        mode = connection.transaction_mode  # type: ignore[attr-defined]
        if reading:  # plain BEGIN: many may read at once, beside one that writes
            connection.transaction_mode = None  # type: ignore[attr-defined]
        try:
            block.enter_context(transaction.atomic())
        finally:
            connection.transaction_mode = mode  # type: ignore[attr-defined]
        yield


def _current(connection: BaseDatabaseWrapper) -> Scope:
    scope: Scope = connection.sm_scope  # type: ignore[attr-defined]
    return scope


def _change(connection: BaseDatabaseWrapper, now: Scope, then: Scope) -> None:
    """Set what differs, in one statement, before whatever is asked next."""
    changed = [field for field in SETTINGS if getattr(now, field) != getattr(then, field)]
    if changed:
        calls = ", ".join("set_config(%s, %s, true)" for _ in changed)
        values = [v for f in changed for v in (SETTINGS[f], getattr(then, f) or _nothing(f))]
        connection.along(f"SELECT {calls}", values, matters=False)  # type: ignore[attr-defined]
    connection.sm_scope = then  # type: ignore[attr-defined]


def _nothing(field: str) -> str:
    return "none" if field == "role" else ""


def _execute(connection: BaseDatabaseWrapper, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
    connection.connection.sm_role = None if connection.in_atomic_block else ""
    connection.sm_scope = Scope()  # type: ignore[attr-defined]
