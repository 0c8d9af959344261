"""Whatever a store holds is imported in some faithful way, and verifies."""

import pytest

from frames.models import TransferItem
from frames.transfer.adjust import CONFLICT, REASONS, SET_ASIDE
from frames.transfer.importing import Options, import_stackmemory
from frames.transfer.verifying import verify_import
from tests.stores import SCHEMAS, fuzzed


def bring(workspace, path, **options):
    return import_stackmemory(workspace=workspace, path=path, options=Options(**options))


def assert_whole(workspace, path):
    """Every row is here; returns the report of the check."""
    report = verify_import(workspace=workspace, path=path)
    assert report["status"] == "ok", report["differing"][:5]
    for table, verdict in report["tables"].items():
        assert verdict["source_checksum"] == verdict["workspace_checksum"], table
    return report


def without(report, *names):
    return {key: value for key, value in report.items() if key not in names}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("schema", SCHEMAS)
def test_odd_values_come_back(acme, globex, tmp_path, schema, seed):
    path = fuzzed(tmp_path / "context.db", SCHEMAS[schema], seed)
    told = bring(acme, path, dry_run=True)
    first = bring(acme, path)
    passing = ("status", "seconds", "transfer")
    assert without(told, *passing) == without(first, *passing)
    assert_whole(acme, path)
    for row in first["rows"].values():
        assert row["read"] == sum(row.values()) - row["read"]
    second = bring(acme, path)
    for table, row in second["rows"].items():
        assert row["imported"] == row["updated"] == 0, table
        assert row["read"] == first["rows"][table]["read"]
    assert_whole(acme, path)
    elsewhere = bring(globex, path)
    assert elsewhere["rows"] == first["rows"]
    assert set(first["adjusted"]) <= set(REASONS)
    reasons = set(TransferItem.objects.in_workspace(acme).values_list("reason", flat=True))
    assert reasons <= set(REASONS) | set(SET_ASIDE) | set(CONFLICT)
