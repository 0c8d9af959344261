"""One database URL becomes Django's DATABASES entry, with the options each engine needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import environ

LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})


def database_settings(url: str, *, require_tls: bool, pool: int = 0) -> dict[str, Any]:
    """Parse `url`; with `require_tls`, ask a remote PostgreSQL for TLS unless the URL says otherwise.

    `pool` is how many connections a process shares among its threads, 0 for one of each thread's own.
    """
    config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    options: dict[str, Any] = dict(config.get("OPTIONS", {}))
    if config["ENGINE"].endswith("sqlite3"):
        if config["NAME"] and config["NAME"] != ":memory:":
            Path(config["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # IMMEDIATE + WAL + a long wait: no "database is locked" with four writers (measured).
        options.setdefault("transaction_mode", "IMMEDIATE")
        options.setdefault("timeout", 20)
        # To open it anew costs six statements, and whoever closes it last writes the whole log back.
        config.setdefault("CONN_MAX_AGE", 60)
        options.setdefault(
            "init_command",
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-20000;"
            " PRAGMA mmap_size=134217728; PRAGMA temp_store=MEMORY;",
        )
    else:
        config["ENGINE"] = "stackmemory.lib.postgresql"
        host = config.get("HOST") or ""
        if require_tls and host not in LOCAL_HOSTS and not host.startswith("/"):
            options.setdefault("sslmode", "require")
        if pool:
            config["CONN_MAX_AGE"] = 0  # a request's connection goes back to the pool
            options["pool"] = {"min_size": 1, "max_size": pool, "timeout": 10}
        else:
            config.setdefault("CONN_MAX_AGE", 60)
        config["CONN_HEALTH_CHECKS"] = True
        # Server-side cursors break behind a transaction pooler.
        config["DISABLE_SERVER_SIDE_CURSORS"] = True
    config["OPTIONS"] = options
    return config
