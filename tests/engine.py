"""pytest plugin: choose the engine before Django's settings are read.

`-p tests.engine` in pyproject.toml loads it early enough; a conftest would be too late. TEST_ENGINE
is sqlite (the default) or postgres; a DATABASE_URL of PostgreSQL is used instead of our own server.
"""

from __future__ import annotations

import os
import sys
import tempfile

ENGINE = os.environ.get("TEST_ENGINE", "sqlite")

# Compiled once: a process that is started here would else compile the whole product for itself.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="sm-test-")
for elsewhere in ("SITE_URL", "MEDIA_ROOT", "OBJECTS_ROOT", "OBJECTS_S3_BUCKET"):
    os.environ.pop(elsewhere, None)
os.environ["JOBS_IN_PROCESS"] = "1"
os.environ["USAGE_FLUSH_SECONDS"] = "0"  # no page of a test writes another's count

if ENGINE == "sqlite":
    os.environ["DATABASE_URL"] = "sqlite:///:memory:"
elif "SM_TEST_SERVER" not in os.environ and not os.environ.get("DATABASE_URL", "").startswith(
    "postgres"
):
    from tests.postgres import Server

    _server = Server()
    os.environ["DATABASE_URL"] = _server.url
    os.environ["SM_TEST_SERVER"] = _server.admin_url  # xdist workers inherit both
