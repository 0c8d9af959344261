"""Connections of their own, beside the test's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection


@pytest.fixture
def alone() -> Iterator[Callable[[], Any]]:
    """alone() is another connection to the test's database, as the login that owns the tables."""
    opened = []

    def connect() -> psycopg.Connection[Any]:
        params = {
            k: v
            for k, v in connection.get_connection_params().items()
            if k in ("dbname", "user", "password", "host", "port")
        }
        opened.append(psycopg.connect(**params, autocommit=True))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()
