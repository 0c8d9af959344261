"""Imports over the API: pieces in order, nothing hostile unpacked, nothing left lying about."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from frames.jobs import run_import
from frames.models import Frame, Transfer, TransferItem
from frames.transfer import receiving, upload
from tests.api.client import error_of, ok
from tests.pages import few_queries
from tests.stores import A, Store
from workspaces.models import Audit

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs(monkeypatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr(upload, "enqueue", lambda job, *ids, **_: found.append(ids))
    return found


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    store = Store(tmp_path / "context.db", A)
    store.ordinary(frames=2)
    return store.done().read_bytes()


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def announced(data: bytes, **fields: Any) -> dict[str, Any]:
    told = {"name": "shop", "store": "store/context.db", "size": len(data)}
    return told | {"sha256": hashlib.sha256(data).hexdigest()} | fields


def put(caller: Any, import_id: str, offset: int, piece: bytes) -> Any:
    return caller.send("PUT", f"imports/{import_id}/content?offset={offset}", piece)


def sent(caller: Any, jobs: list[Any], data: bytes, **fields: Any) -> dict[str, Any]:
    """A whole zip, announced, sent and imported."""
    told = ok(caller.post("imports", announced(data, **fields)), 201)
    ok(put(caller, told["id"], 0, data))
    [ids] = jobs
    jobs.clear()
    run_import(*map(str, ids))
    return ok(caller.get(f"imports/{told['id']}"))


def files(settings: Any) -> list[str]:
    return [p.name for p in Path(settings.MEDIA_ROOT).rglob("*") if p.is_file()]


def test_pieces_are_taken_in_order_and_once(acme, admin, jobs, content, settings):
    data = zipped(**{"store/context.db": content})
    told = ok(admin.post("imports", announced(data)), 201)
    assert (told["state"], told["received"], told["size"]) == ("receiving", 0, len(data))
    first = ok(put(admin, told["id"], 0, data[:100]))
    assert first["received"] == 100
    assert error_of(put(admin, told["id"], 0, data[:100])) == (409, "wrong_offset", "offset")
    assert error_of(put(admin, told["id"], 200, data[200:])) == (409, "wrong_offset", "offset")
    assert error_of(put(admin, told["id"], 100, data[100:] + b"x"))[0] == 400
    assert ok(admin.post("imports", announced(data)), 200)["received"] == 100, "announced again"
    assert ok(admin.post("imports", announced(data, dry_run=True)), 201)["received"] == 0
    done = ok(put(admin, told["id"], 100, data[100:]))
    assert (done["state"], len(jobs)) == ("waiting", 1)
    assert error_of(put(admin, told["id"], 0, data))[:2] == (409, "not_receiving")
    run_import(*map(str, jobs[0]))
    with few_queries(8):
        over = ok(admin.get(f"imports/{told['id']}"))
    assert (over["state"], over["report"]["status"], over["project"]) == (
        "done",
        "done",
        "project-0",
    )
    assert files(settings) == []
    actions = set(Audit.objects.in_workspace(acme).values_list("action", flat=True))
    assert {"import.started", "import.finished"} <= actions


def test_what_arrived_damaged_is_sent_anew(admin, jobs, content, settings):
    data = zipped(**{"store/context.db": content})
    told = ok(admin.post("imports", announced(data)), 201)
    damaged = data[:50] + b"!" + data[51:]
    assert error_of(put(admin, told["id"], 0, damaged))[:2] == (409, "wrong_digest")
    assert ok(admin.get(f"imports/{told['id']}"))["received"] == 0
    assert (jobs, files(settings)) == ([], [])
    assert ok(put(admin, told["id"], 0, data))["state"] == "waiting"


@pytest.mark.parametrize(
    "name", ["../out.db", "/etc/x", "a/../../x", "a//b", "a\\b", "a\nb", "/".join("abcdefghijklmn")]
)
def test_no_path_leads_out_of_a_bundle(acme, admin, jobs, content, settings, name):
    assert error_of(admin.post("imports", announced(b"x", store=name))) == (400, "invalid", "store")
    told = sent(admin, jobs, zipped(**{name: content}))
    assert (told["state"], "no path inside" in told["error"]) == ("failed", True)
    assert files(settings) == ["bundle.zip"]
    assert not Frame.objects.in_workspace(acme).exists()


def test_no_bomb_is_unpacked_and_nothing_else_is_taken_for_a_store(
    acme, admin, jobs, content, settings
):
    settings.IMPORT_MAX_BYTES = 1_000_000
    told = sent(admin, jobs, zipped(**{"store/context.db": content, "bomb": b"\0" * 3_000_000}))
    assert "more than 0 MB" in told["error"]
    assert error_of(admin.post("imports", announced(b"x", size=1_000_001)))[0] == 413
    assert "no zip" in sent(admin, jobs, b"not a zip")["error"]
    missing = sent(admin, jobs, zipped(other=content))
    assert "There is no store/context.db" in missing["error"]
    assert str(settings.MEDIA_ROOT) not in missing["error"]
    twice = zipped(**{"store/context.db": content, "store/context.db/x": content})
    assert "twice" in sent(admin, jobs, twice)["error"]
    assert not Frame.objects.in_workspace(acme).exists()


def test_one_is_cancelled_and_what_was_received_is_gone(acme, admin, jobs, content, settings):
    data = zipped(**{"store/context.db": content})
    told = ok(admin.post("imports", announced(data)), 201)
    ok(put(admin, told["id"], 0, data[:100]))
    assert ok(admin.post(f"imports/{told['id']}/cancel"))["state"] == "cancelled"
    assert error_of(admin.post(f"imports/{told['id']}/cancel"))[:2] == (409, "already_over")
    assert files(settings) == []
    assert ok(admin.post("imports", announced(data)), 201)["id"] != told["id"]
    assert Audit.objects.in_workspace(acme).filter(action="import.cancelled").count() == 1


def test_what_nobody_goes_on_with_makes_room(acme, admin, content, settings):
    for number in range(receiving.MOST_AT_ONCE):
        data = zipped(**{"store/context.db": content, f"{number}.md": b"x"})
        told = ok(admin.post("imports", announced(data)), 201)
        ok(put(admin, told["id"], 0, data[:10]))
    other = announced(b"other")
    assert error_of(admin.post("imports", other))[:2] == (409, "too_many_imports")
    old = timezone.now() - receiving.ABANDONED - timedelta(minutes=1)
    Transfer.objects.in_workspace(acme).filter(pk=told["id"]).update(beat_at=old)
    ok(admin.post("imports", other), 201)
    assert len(files(settings)) == receiving.MOST_AT_ONCE - 1
    assert ok(admin.get(f"imports/{told['id']}"))["state"] == "cancelled"


def test_a_list_asks_little(acme, admin):
    for number in range(30):
        Transfer.unscoped.create(workspace=acme, name=f"{number}")
    with few_queries(8):
        found = ok(admin.get("imports"))["items"]
    assert {each["name"] for each in found} == {f"{number}" for number in range(30)}


def test_what_a_mirror_brings_in_conflict_again_and_again_is_kept_once(
    acme, admin, tmp_path, settings
):
    def part(number: int) -> dict[str, Any]:
        store = Store(tmp_path / f"{number}.db", A)
        store.frame("f-1", name=f"Said there {number}")
        data = zipped(**{"store/context.db": store.done().read_bytes()})
        told = ok(admin.post("imports", announced(data, mirror="m", project="shop")), 201)
        return ok(put(admin, told["id"], 0, data))["report"]["rows"]["frames"]

    assert part(0)["imported"] == 1
    Frame.unscoped.update(source={"hash": "changed here"}, name="Said here")
    assert [part(number)["conflict"] for number in (1, 2, 3)] == [1, 1, 1]
    part(4)  # a mirror tidies when it announces
    items = TransferItem.unscoped.filter(category="conflict").order_by("pk")
    assert [item.content["name"] for item in items] == ["Said there 3", "Said there 4"]
    assert Transfer.unscoped.filter(kind="mirror").count() == 2
    assert files(settings) == []
