"""System checks on the third ring: what the database itself enforces here, and what it does not.

`manage.py check --database default` runs them, since they ask the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from stackmemory.lib import row_security


@register(Tags.database)
def rows_keep_to_their_workspace(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if connection.vendor != "postgresql":
            continue
        try:
            connection.ensure_connection()
            found += _weaknesses(connection)
        except DatabaseError:
            continue  # a database that does not answer is /readyz's subject
    return found


def _weaknesses(connection: BaseDatabaseWrapper) -> Iterator[CheckMessage]:
    tables = {model._meta.db_table for model in row_security.tenant_models()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, relrowsecurity FROM pg_class WHERE relname = ANY(%s)"
            " AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)",
            [sorted(tables)],
        )
        protected = dict(cursor.fetchall())
        if not protected:
            return  # nothing is migrated yet
        cursor.execute(
            "SELECT session_user, rolsuper, rolbypassrls, (SELECT pg_has_role(session_user,"
            " relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('workspaces_membership'))"
            " FROM pg_roles WHERE rolname = session_user"
        )
        login, superuser, bypasses, owns = cursor.fetchone()
    if not connection.sm_roles:  # type: ignore[attr-defined]
        yield Warning(
            "The database does not keep workspaces apart: its roles have not been made. Only the"
            " application's own checks stand between teams.",
            hint="Let the database user create roles (ALTER ROLE … CREATEROLE), then run"
            " manage.py setup_database.",
            id="stackmemory.W006",
        )
        return
    for table in sorted(name for name, on in protected.items() if not on):
        yield Error(
            f"Row-level security is off on {table}: a query without a scope would see all teams.",
            hint="Run manage.py setup_database.",
            id="stackmemory.E002",
        )
    if superuser or bypasses or owns:
        power = "a superuser" if superuser else "the owner of the tables"
        yield Warning(
            f"The application logs in as “{login}”, {power}, and steps down at connect: forgotten"
            " scopes are stopped, but injected SQL could step up again, and behind a transaction"
            " pooler the step down is lost.",
            hint="Make a lesser login with manage.py setup_database --app-login NAME, give web and"
            " worker that one in DATABASE_URL, and keep the owner's for migrate.",
            id="stackmemory.W007",
        )
