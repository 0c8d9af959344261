"""An import leaves its mark in the audit log: who began it, what came of it."""

from frames.transfer.importing import Options, import_stackmemory
from tests.stores import Store
from workspaces.models import Audit


def test_an_import_is_begun_and_finished_in_the_log_once(acme, alice, tmp_path):
    store = Store(tmp_path / "context.db")
    store.event(store.frame())
    path = store.done()
    for _ in range(2):
        import_stackmemory(workspace=acme, path=path, options=Options(), user=alice)
    entries = Audit.objects.in_workspace(acme).order_by("seq")
    assert [entry.action for entry in entries] == ["import.started", "import.finished"] * 2
    assert entries[0].actor_id == alice.pk
    assert entries[1].data["after"]["events"] > 0
    assert entries[3].data["after"]["events"] == 0
