"""Roles, grants and row-level security for every tenant table, made from the models themselves.

Run after every migrate and by `setup_database`; doing it again changes nothing. A table is a tenant
table when its model has a foreign key `workspace`; a model may add ways for its rows to be seen
before a workspace is known (`row_security_also`), and may forbid the application to change or
delete rows (`append_only`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import DatabaseError

from stackmemory.lib.tenancy import APP, SYSTEM, step_down

# (SELECT …) makes it one evaluation a statement instead of one a row.
WORKSPACE = "workspace_id = (SELECT nullif(current_setting('app.workspace_id', true), '')::uuid)"
PERSON = "(SELECT nullif(current_setting('app.person_id', true), '')::uuid)"
SECRET = "(SELECT nullif(current_setting('app.secret', true), ''))"
LESSER = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
EXTENSIONS = ("vector", "pg_trgm", "unaccent", "btree_gin")


@dataclass
class Setup:
    """What install() found or made, and what the host did not let it do."""

    roles: dict[str, str] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    weaker: list[str] = field(default_factory=list)


def tenant_models() -> Iterator[type[models.Model]]:
    """Every model whose rows belong to a workspace."""
    for model in apps.get_models():
        if any(f.name == "workspace" and f.is_relation for f in model._meta.local_fields):
            yield model


def install(using: str = "default") -> Setup:
    """Make roles and extensions, enable row-level security, write policies and grants.

    Needs the role that owns the tables. Where that one may not create roles, isolation stays with
    the application (rings 1 and 2) and `weaker` says so.
    """
    setup = Setup()
    connection = connections[using]
    if connection.vendor != "postgresql":
        return setup
    _extensions(connection, setup)
    try:
        with transaction.atomic(using=using):
            _lock(connection)
            setup.roles = _roles(connection)
    except DatabaseError as problem:
        setup.weaker.append(
            "row-level security is off: the database user may not create roles"
            f" ({str(problem).splitlines()[0]}); grant it CREATEROLE and run setup_database"
        )
        return setup
    with transaction.atomic(using=using):
        _lock(connection)
        existing = set(connection.introspection.table_names())
        _grants(connection, setup.roles)
        for model in tenant_models():
            if model._meta.db_table in existing:
                _protect(connection, model, setup.roles)
                setup.tables.append(model._meta.db_table)
    step_down(connection=connection)  # the roles may be new to this connection
    return setup


def add_login(using: str, name: str, password: str) -> None:
    """A role for the application to log in with that owns nothing and bypasses nothing."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls FROM pg_roles"
            " WHERE rolname = %s",
            [name],
        )
        known = cursor.fetchone()
        verb = "ALTER" if known else "CREATE"
        # Taking away what it does not have is a superuser's to say.
        rights = "LOGIN" if known == (False,) else LESSER
        cursor.execute(
            "SELECT format(%s, %s::text, %s::text)",
            [f"{verb} ROLE %I {rights} PASSWORD %L", name, password],
        )
        cursor.execute(cursor.fetchone()[0])
        cursor.execute("SELECT current_database()")
        database = cursor.fetchone()[0]
        quoted = connection.ops.quote_name(name)
        for prefix, inherit in ((APP, "TRUE"), (SYSTEM, "FALSE")):
            role = connection.ops.quote_name(prefix + database)
            cursor.execute(f"GRANT {role} TO {quoted}{_options(connection, inherit)}")


def _options(connection: BaseDatabaseWrapper, inherit: str) -> str:
    new = connection.pg_version >= 160000  # type: ignore[attr-defined]
    return f" WITH SET TRUE, INHERIT {inherit}" if new else ""


def _lock(connection: BaseDatabaseWrapper) -> None:
    """Roles belong to the whole cluster: two databases being set up must take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('stackmemory row security'))")


def _extensions(connection: BaseDatabaseWrapper, setup: Setup) -> None:
    for extension in EXTENSIONS:
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute(f'CREATE EXTENSION IF NOT EXISTS "{extension}"')
            setup.extensions.append(extension)
        except DatabaseError as problem:
            setup.weaker.append(f"extension {extension}: {str(problem).splitlines()[0]}")


def _roles(connection: BaseDatabaseWrapper) -> dict[str, str]:
    roles: dict[str, str] = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_user")
        database, owner = cursor.fetchone()
        for prefix in (APP, SYSTEM):
            role = roles[prefix] = prefix + database
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            quoted = connection.ops.quote_name(role)
            if cursor.fetchone() is None:
                cursor.execute(f"CREATE ROLE {quoted} NOLOGIN NOSUPERUSER NOBYPASSRLS")
            cursor.execute(
                f"GRANT {quoted} TO {connection.ops.quote_name(owner)}"
                + _options(connection, "FALSE")
            )
    return roles


def _grants(connection: BaseDatabaseWrapper, roles: dict[str, str]) -> None:
    """Both roles may use every table of ours that is no partition; tenant tables follow."""
    q = connection.ops.quote_name
    app, system = q(roles[APP]), q(roles[SYSTEM])
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {app}, {system}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}, {system}")
        cursor.execute(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition"
            " AND pg_has_role(c.relowner, 'MEMBER')"
        )
        for (table,) in cursor.fetchall():
            rights = "SELECT" if table == "django_migrations" else "SELECT, INSERT, UPDATE, DELETE"
            cursor.execute(f"GRANT {rights} ON {q(table)} TO {app}, {system}")


def _protect(
    connection: BaseDatabaseWrapper, model: type[models.Model], roles: dict[str, str]
) -> None:
    q = connection.ops.quote_name
    table, app, system = q(model._meta.db_table), q(roles[APP]), q(roles[SYSTEM])
    seen = " OR ".join([WORKSPACE, *getattr(model, "row_security_also", ())])
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        for name, clause in {
            "workspace_rows": f"FOR ALL TO {app} USING ({WORKSPACE}) WITH CHECK ({WORKSPACE})",
            "known_rows": f"FOR SELECT TO {app} USING ({seen})",
            "all_rows": f"FOR ALL TO {system} USING (true) WITH CHECK (true)",
        }.items():
            cursor.execute(f"DROP POLICY IF EXISTS {name} ON {table}")
            if name != "known_rows" or hasattr(model, "row_security_also"):
                cursor.execute(f"CREATE POLICY {name} ON {table} {clause}")
        if getattr(model, "append_only", False):
            cursor.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {app}")
