"""The real databases import and verify, where they are at hand (UPSTREAM_STORES)."""

import os
from pathlib import Path

import pytest

from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.verifying import verify_import

HOME = Path(os.environ.get("UPSTREAM_STORES", "."))
STORES = (
    "v032_small.db", "v112_small.db", "v032_upgraded_by_v112.db", "v112_wal_fixture",
)  # fmt: skip


@pytest.mark.parametrize("name", STORES)
def test_real_store_imports_and_verifies(acme, name):
    if not (HOME / name).exists():
        pytest.skip("real databases are not part of the repository")
    first = import_stackmemory(workspace=acme, path=HOME / name, options=Options())
    report = verify_import(workspace=acme, path=HOME / name)
    assert report["status"] == "ok", report["differing"][:5]
    assert all(v["source_checksum"] == v["workspace_checksum"] for v in report["tables"].values())
    second = import_stackmemory(workspace=acme, path=HOME / name, options=Options())
    assert sum(row["imported"] for row in first["rows"].values()) > 30
    assert all(
        row["imported"] == row["updated"] == row["conflict"] == 0 for row in second["rows"].values()
    )
