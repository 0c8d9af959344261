"""The engine, under the names Django looks for."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base

from stackmemory.lib.postgresql.cursors import Cursor, held_by


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
