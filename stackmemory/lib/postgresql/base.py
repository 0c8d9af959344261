"""The engine, under the names Django looks for."""

from __future__ import annotations

import time
from typing import Any

from django.db.backends.postgresql import base
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg_pool.base import AttemptWithBackoff

from stackmemory.lib.postgresql.cursors import Cursor, held_by

# A session that has answered so many seconds ago need not be asked again whether it is there.
FRESH = 1.0
# A pool that has lost its database tries again every second. Pauses that double, as they would,
# keep everybody waiting long after it is back.
AttemptWithBackoff.DELAY_BACKOFF = 1.0


def still_there(session: Any) -> None:
    """Before a pool hands a session out: raises if the database has gone.

    Then the pool's others are looked at, too: they went with it, and whoever asked would be given
    one after the other, with a pause after each.
    """
    now = time.monotonic()
    if now - getattr(session, "sm_answered", -FRESH) < FRESH:
        return
    try:
        session.execute("")
    except Exception:
        session._pool.check()
        raise
    session.sm_answered = now


class DatabaseWrapper(base.DatabaseWrapper):
    """BEGIN and what is given to `along` travel with the statement that follows."""

    def along(self, sql: str, params: Any = None, *, matters: bool = True) -> None:
        """Carry out a statement whose answer nobody reads, with the next one or the commit.

        Within a transaction only. `matters` is false for what is of use to later statements alone:
        without any, it is not sent.
        """
        text = str(self.ops.compose_sql(sql, params))  # type: ignore[attr-defined]
        if not self.in_atomic_block:
            raise self.Database.ProgrammingError("Only a transaction has a statement to go with.")
        if matters and self.queries_logged:
            self.queries_log.append({"sql": text, "time": "0.000"})
        held_by(self.connection).add(text, matters=matters)

    def ask(self, sql: str) -> tuple[str, ...] | None:
        """The first row of a statement, which has no parameters, as texts.

        By libpq's own call, for what every request asks: half of a short statement's time goes by in
        cursors. What was held back goes before it, as before any other.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            text = "; ".join([*held_by(self.connection).take(), sql])
            with self.connection.lock:
                result = self.connection.pgconn.exec_(text.encode())
            if result.status != ExecStatus.TUPLES_OK:
                raise error_from_result(result, encoding="utf-8")
        if not result.ntuples:
            return None
        values = [result.get_value(0, column) or b"" for column in range(result.nfields)]
        return tuple(value.decode() for value in values)

    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None:
            pool._check = still_there  # Django names its own, and lets nobody name another
        return pool

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params.get("cursor_factory") is base.Cursor:
            params["cursor_factory"] = Cursor
        return params

    def _start_transaction_under_autocommit(self) -> None:
        """Django's word for an engine that says BEGIN itself. The session stays in autocommit."""
        held_by(self.connection).add("BEGIN", matters=False)

    def _commit(self) -> None:
        if self.connection is None:
            return
        held = held_by(self.connection)
        if not held.words:
            super()._commit()  # type: ignore[misc]
        elif held.matters or self._has_begun():
            words = held.take()
            with self.wrap_database_errors, self.connection.cursor() as cursor:
                cursor.execute("; ".join([*words, "COMMIT"]))
        else:
            held.take()  # nothing was done

    def _has_begun(self) -> bool:
        return bool(self.connection.pgconn.transaction_status)  # 0 is idle

    def _rollback(self) -> None:
        self._forget()
        super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        # A savepoint is sent at once, so whatever waits came after it.
        self._forget()
        super()._savepoint_rollback(sid)  # type: ignore[misc]

    def _close(self) -> None:
        self._forget()
        super()._close()  # type: ignore[misc]

    def _forget(self) -> None:
        if self.connection is not None:
            held_by(self.connection).take()
