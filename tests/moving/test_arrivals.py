"""An archive that anybody brings in becomes a workspace of theirs, or nothing."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from frames.models import Frame
from stackmemory.archive import newcomer
from stackmemory.archive.writing import export_workspace
from stackmemory.arrivals import arriving, jobs, progress
from stackmemory.lib.queue import Busy
from stackmemory.models import ArchiveImport
from tests.api.client import error_of, key_for, ok
from tests.moving.teams import make_team, purge
from tests.pages import few_queries
from workspaces import audit
from workspaces.models import Membership, User, Workspace

pytestmark = pytest.mark.django_db
URL = "/workspaces/import/"


@pytest.fixture
def content(tmp_path, as_application) -> bytes:
    """An archive of a workspace that is not here any more, nor are its people."""
    team = make_team("team", tmp_path)
    with as_application():
        export_workspace(workspace=team, output=tmp_path / "team.zip")
    people = list(Membership.unscoped.filter(workspace=team).values_list("user", flat=True))
    purge(team)
    User.objects.filter(pk__in=people).delete()
    return (tmp_path / "team.zip").read_bytes()


def left_behind() -> list[str]:
    root = Path(django_settings.MEDIA_ROOT) / "archives"
    return [p.name for p in root.rglob("*") if p.is_file()]


def send(client, data: bytes, run, slug=""):
    file = SimpleUploadedFile("team.zip", data)
    with run(execute=True):
        response = client.post(URL, {"file": file, "slug": slug})
    return response, ArchiveImport.objects.latest("id")


def test_it_becomes_a_workspace_of_who_brought_it(
    content, acme, alice, login, django_capture_on_commit_callbacks
):
    client = login(alice)
    with few_queries():
        page = client.get(URL).text
    assert "Workspace from an archive" in page
    assert "css/account" in page, "as the other pages outside of any workspace"
    assert "data-upload" in page
    response, arrival = send(client, content, django_capture_on_commit_callbacks, slug="ours")
    assert (response.status_code, arrival.state, arrival.error) == (302, "done", "")
    ours = Workspace.objects.get(slug="ours")
    assert [(m.user, m.role) for m in Membership.unscoped.filter(workspace=ours)] == [
        (alice, "owner")
    ]
    assert {row["role"] for row in arrival.report["members"]} == {"owner", "member"}
    # nobody's address is taken, and nobody can log in that could not before
    others = User.objects.exclude(pk=alice.pk)
    assert not others.exclude(email__endswith="@archive.invalid").exists()
    assert not others.filter(is_active=True).exists()
    assert Frame.unscoped.filter(workspace=ours, owner=None).count() < Frame.unscoped.count()
    assert list(audit.faults(ours)) == []
    assert "invited again" in client.get(URL).text
    assert client.get("/w/ours/").status_code == 200
    assert left_behind() == []
    # an installation takes it once, and does not say where it is
    _, again = send(client, content, django_capture_on_commit_callbacks, slug="more")
    assert again.state == "failed"
    assert "is here already:" in again.error


def test_what_is_wrong_with_one_is_said_and_nothing_is_kept(
    content, acme, alice, login, monkeypatch, settings, django_capture_on_commit_callbacks
):
    client, run = login(alice), django_capture_on_commit_callbacks
    before = User.objects.count()
    _, none = send(client, b"not a zip", run)
    assert (none.state, "is no archive" in none.error) == ("failed", True)
    cut = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        info = archive.getinfo("rows/frames.event.jsonl")
    cut[info.header_offset + 80] ^= 255
    _, damaged = send(client, bytes(cut), run)
    assert damaged.state == "failed"
    assert "rows/frames.event.jsonl" in damaged.error
    monkeypatch.setattr(newcomer, "_most_events", lambda: 3)
    _, many = send(client, content, run)
    assert "may have 3 a month" in many.error
    monkeypatch.setattr(newcomer, "MOST_GROWN", 0)
    _, large = send(client, content, run)
    assert "the most that is taken this way" in large.error
    response, _ = send(client, content, run, slug="acme")
    assert "This address is taken." in response.text
    settings.IMPORT_MAX_BYTES = 10
    response, _ = send(client, content, run)
    assert response.status_code == 422
    assert Workspace.objects.count() == 1
    assert User.objects.count() == before
    assert left_behind() == []


def test_it_is_stopped_and_what_a_killed_worker_left_is_taken_up(
    content, acme, alice, bob, login, monkeypatch, as_application
):
    client = login(alice)
    monkeypatch.setattr(arriving, "enqueue", lambda *ids, **_: None)
    client.post(URL, {"file": SimpleUploadedFile("team.zip", content)})
    arrival = ArchiveImport.objects.get()
    url = f"{URL}{arrival.pk}/cancellation/"
    assert login(bob).post(url).status_code == 404
    pulse = progress.Pulse.__call__

    def asked(self, phase, done, total):
        if phase == "writing":
            arrival.refresh_from_db()
            assert arriving.cancel(arrival)
        self.at = 0
        pulse(self, phase, done, total)

    monkeypatch.setattr(progress.Pulse, "__call__", asked)
    with as_application():
        jobs.run_arrival(str(arrival.pk))
    arrival.refresh_from_db()
    assert arrival.state == "cancelled"
    assert not Workspace.objects.exclude(slug="acme").exists()
    assert left_behind() == []
    monkeypatch.setattr(progress.Pulse, "__call__", pulse)

    client.post(URL, {"file": SimpleUploadedFile("team.zip", content)})
    arrival = ArchiveImport.objects.latest("id")
    ArchiveImport.objects.filter(pk=arrival.pk).update(state="running")
    with as_application(), pytest.raises(Busy):
        jobs.run_arrival(str(arrival.pk))  # somebody seems to be at it; tried again later
    assert not Workspace.objects.exclude(slug="acme").exists()
    long_ago = timezone.now() - timedelta(minutes=2)
    ArchiveImport.objects.filter(pk=arrival.pk).update(beat_at=long_ago)
    with as_application():
        jobs.run_arrival(str(arrival.pk))
    assert Workspace.objects.filter(slug="team").exists()


def test_programs_send_it_in_pieces(content, acme, alice, bob, django_capture_on_commit_callbacks):
    api = key_for(acme, alice, "admin")
    told = {"name": "team.zip", "slug": "ours", "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
    made = ok(api.post("archives", told), 201)
    assert error_of(key_for(acme, bob, "read", "write").post("archives", told))[0] == 403
    place = f"archives/{made['id']}/content"
    half = len(content) // 2
    assert ok(api.send("PUT", f"{place}?offset=0", content[:half]))["received"] == half
    assert error_of(api.send("PUT", f"{place}?offset=0", content[:half]))[:2] == (
        409,
        "wrong_offset",
    )
    assert ok(api.post("archives", told), 201)["id"] == made["id"]
    with django_capture_on_commit_callbacks(execute=True):
        ok(api.send("PUT", f"{place}?offset={half}", content[half:]))
    done = ok(api.get(f"archives/{made['id']}"))
    assert (done["state"], done["workspace"]) == ("done", "ours")
    assert error_of(api.post(f"archives/{made['id']}/cancel"))[:2] == (409, "already_over")
    assert [each["id"] for each in ok(api.get("archives"))["items"]] == [made["id"]]
