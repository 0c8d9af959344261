"""PostgreSQL: pg_dump's custom format, and rows counted and hashed in the dump's own snapshot."""

from __future__ import annotations

import os
import re
import subprocess
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import make_conninfo

from stackmemory.backup.errors import BadBackup
from stackmemory.backup.named import Named, named
from stackmemory.backup.sums import Found, Sums
from stackmemory.backup.tools import pipe, run, tool
from stackmemory.lib.row_security import EXTENSIONS

if TYPE_CHECKING:
    from stackmemory.backup.engines import Engine

# Roles are a database's own and are made anew (setup_database); extensions are made before.
NOT_RESTORED = re.compile(r"^\d+; \d+ \d+ (POLICY|ACL|DEFAULT ACL|EXTENSION|COMMENT|SCHEMA) ")
# Unlogged tables (cache, sessions, buckets) hold what is passing.
TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND c.relpersistence = 'p' AND NOT EXISTS (SELECT 1 FROM pg_depend d"
    " WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"
)
SUM = "SELECT count(*), coalesce(sum(hashtextextended(a_row_::text, 0)::numeric), 0) FROM {} a_row_"
# pg_restore sets this since that version; a server that is older refuses it, and with it everything.
KNOWS_TIMEOUT, TIMEOUT = 17, b"SET transaction_timeout = 0;\n"
# What decides how a row is spelled as text.
SPELLING = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601';"
    " SET extra_float_digits = 1; SET bytea_output = 'hex'"
)


class Postgres:
    name, part = "postgresql", "database.dump"

    def __init__(self, settings: dict[str, Any]) -> None:
        known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
        options = settings.get("OPTIONS") or {}
        self.params = {key: value for key, value in options.items() if key in known}
        for ours, theirs in (("NAME", "dbname"), ("USER", "user"), ("PASSWORD", "password"),
                             ("HOST", "host"), ("PORT", "port")):  # fmt: skip
            if settings.get(ours):
                self.params[theirs] = settings[ours]

    def version(self) -> str:
        with self._connected() as connection:
            return str(connection.info.parameter_status("server_version"))

    def save(self, path: Path) -> Found:
        with self._connected() as connection:
            connection.autocommit = False
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            self._must_own(connection)
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
            program, _ = tool("pg_dump", connection.info.server_version // 10000)
            command = [str(program), "--format=custom", "--schema=public", f"--snapshot={row[0]}",  # type: ignore[index]
                       "--no-unlogged-table-data", f"--file={path}", *self._where()]  # fmt: skip
            dumping = subprocess.Popen(
                command, stderr=subprocess.PIPE, text=True, env=self._environment()
            )
            try:
                found = _found(connection)
                complaint = dumping.communicate()[1]
            finally:
                if dumping.poll() is None:
                    dumping.kill()
                    dumping.communicate()
        if dumping.returncode:
            raise BadBackup(f"pg_dump failed: {complaint.strip()[-2000:]}")
        return found

    def tables(self) -> list[str]:
        with self._connected() as connection:
            return [name for (name,) in connection.execute(TABLES).fetchall()]

    def load(self, path: Path) -> None:
        with self._connected() as connection:
            self._extend(connection)
            server = connection.info.server_version // 10000
        program, major = tool("pg_restore", server)
        listed = run([str(program), "--list", str(path)], self._environment())
        chosen = path.with_suffix(".list")
        chosen.write_text(
            "\n".join(line for line in listed.splitlines() if not NOT_RESTORED.match(line))
        )
        restore = [str(program), "--no-owner", "--no-privileges", f"--use-list={chosen}", str(path)]
        if server < KNOWS_TIMEOUT <= major:
            psql = [str(program.with_name("psql")), "--no-psqlrc", "--quiet",
                    "--single-transaction", "--set=ON_ERROR_STOP=1", *self._where()]  # fmt: skip
            pipe([*restore, "--file=-"], TIMEOUT, psql, self._environment())
        else:
            run([*restore, "--single-transaction", *self._where()], self._environment())

    def found(self) -> Found:
        with self._connected() as connection:
            return _found(connection)

    def named(self) -> Named:
        with self._connected() as connection:
            return _named(connection, self.tables())

    def ask(self, said: str) -> list[tuple[Any, ...]]:
        with self._connected() as connection:
            self._must_own(connection)
            return connection.execute(said.encode()).fetchall()

    @contextmanager
    def scratch(self) -> Iterator[Engine]:
        name = f"stackmemory_scratch_{uuid.uuid4().hex[:12]}"
        with self._connected() as connection:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            except psycopg.Error as problem:
                raise BadBackup(
                    f"No database to try the backup in could be made ({_first(problem)}). Grant the"
                    " login CREATEDB, or make an empty database and name it with --database URL."
                ) from None
        beside = Postgres.__new__(Postgres)
        beside.params = self.params | {"dbname": name}
        try:
            yield beside
        finally:
            with self._connected() as connection:
                # Not FORCE, which may not end an autovacuum there; without, that ends by itself.
                drop = sql.SQL("DROP DATABASE IF EXISTS {}")
                connection.execute(drop.format(sql.Identifier(name)))

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            connection = psycopg.connect(**self.params, autocommit=True)
        except psycopg.OperationalError as problem:
            raise BadBackup(f"The database does not answer: {_first(problem)}.") from None
        with connection:
            connection.execute(SPELLING)
            yield connection

    def _where(self) -> list[str]:
        open_ = {key: value for key, value in self.params.items() if key != "password"}
        return ["--no-password", f"--dbname={make_conninfo(**open_)}"]

    def _environment(self) -> dict[str, str]:
        """The password goes by the environment: arguments can be seen by everybody."""
        password = self.params.get("password")
        return os.environ | ({"PGPASSWORD": str(password)} if password else {})

    def _must_own(self, connection: psycopg.Connection[Any]) -> None:
        if connection.execute("SELECT to_regclass('public.django_migrations')").fetchone() == (
            None,
        ):
            raise BadBackup("There is nothing in the database yet; see DATABASE_URL.")
        owned = connection.execute(
            "SELECT coalesce(bool_and(pg_has_role(session_user, relowner, 'USAGE')), false)"
            " FROM pg_class WHERE oid = to_regclass('public.django_migrations')"
        ).fetchone()
        if not owned or not owned[0]:
            raise BadBackup(
                "The login of the database does not own the tables, so that it sees no rows: set"
                " BACKUP_DATABASE_URL to the URL that `migrate` is run with."
            )

    def _extend(self, connection: psycopg.Connection[Any]) -> None:
        for extension in EXTENSIONS:
            try:
                connection.execute(f'CREATE EXTENSION IF NOT EXISTS "{extension}"')
            except psycopg.Error as problem:
                raise BadBackup(
                    f"Extension {extension} cannot be made ({_first(problem)}). Have a superuser run"
                    f" CREATE EXTENSION {extension} in the database, or in template1."
                ) from None


def _found(connection: psycopg.Connection[Any]) -> Found:
    rows = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
    migrations = [name for (name,) in rows.fetchall()]
    sums: Sums = {}
    for (table,) in connection.execute(TABLES).fetchall():
        row = connection.execute(sql.SQL(SUM).format(sql.Identifier("public", table))).fetchone()
        sums[table] = {"rows": row[0], "sum": str(row[1])}  # type: ignore[index]
    return Found(migrations, sums, _named(connection, sums))


def _named(connection: psycopg.Connection[Any], tables: Collection[str]) -> Named:
    return named(lambda said: connection.execute(said.encode()), tables)


def _first(problem: psycopg.Error) -> str:
    return str(problem).strip().splitlines()[0]
