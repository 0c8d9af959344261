"""The object store as a bucket: backups go there over HTTP, come back, and hold what lies in it."""

from __future__ import annotations

import gzip
import json
import os

import boto3
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone

from frames import large, sweeping
from frames.models.event import PAYLOADS
from stackmemory.backup import container, files
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import find, place
from stackmemory.backup.restoring import put_files
from stackmemory.backup.sealing import CHUNK, Opened
from stackmemory.backup.sums import Found
from stackmemory.backup.taking import back_up, keep_newest
from stackmemory.lib import blobs, objects
from stackmemory.lib.objects import folder
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from tests.moving.conftest import REGION

KEY = "a key of sixteen characters or more"


@pytest.fixture
def bucket(s3, settings, tmp_path):
    """An empty bucket, which is the object store."""
    credentials = {"key": "key", "secret": "secret", "region": REGION}
    made = objects.bucket("memory", endpoint=s3, **credentials)
    client = boto3.client("s3", endpoint_url=s3, aws_access_key_id="key",
                          aws_secret_access_key="secret", region_name=REGION)  # fmt: skip
    client.create_bucket(Bucket="memory", CreateBucketConfiguration={"LocationConstraint": REGION})
    settings.STORAGES = settings.STORAGES | {"objects": made}
    settings.VAR_DIR = tmp_path / "var"

    def empty() -> None:
        for each in client.list_objects_v2(Bucket="memory").get("Contents", []):
            client.delete_object(Bucket="memory", Key=each["Key"])

    yield empty
    empty()
    client.delete_bucket(Bucket="memory")


class NoDatabase:
    """Instead of an engine: tests/moving/test_backup.py is about those."""

    name, part = "sqlite", "database.sqlite3.gz"

    def version(self):
        return "3"

    def save(self, path):
        path.write_bytes(os.urandom(CHUNK + 1))
        return Found([], {}, self.named())

    def named(self):
        return {"cold/2026/a.jsonl.gz": "", "cold/b": ""}


def test_backups_in_a_bucket(bucket, monkeypatch):
    monkeypatch.setattr("stackmemory.backup.taking.saved_engine", NoDatabase)
    store, cold = storages["objects"], os.urandom(100_000)
    store.save("cold/2026/a.jsonl.gz", ContentFile(cold))
    store.save("cold/b", ContentFile(b""))
    storages["default"].save("imports/x", ContentFile(b"waiting"))
    there = place("storage:objects")
    taken = [back_up(to=there, key=KEY)["backup"] for _ in range(2)]
    assert there.names() == sorted(taken)
    assert sorted(keep_newest(there, 1) + there.names()) == sorted(taken)
    assert len(there.names()) == 1
    where, name = find("storage:objects")
    content: dict[str, int] = {}

    def take(part, stream):
        content[part] = sum(map(len, iter(lambda: stream.read(1 << 20), b"")))

    with where.open(name) as stream:
        manifest = container.check(Opened(stream, KEY), take)
    assert list(content) == [part["name"] for part in manifest["parts"]]
    assert content.pop("database.sqlite3.gz") > 0
    assert content == {
        "files/default/imports/x": 7,
        "files/objects/cold/2026/a.jsonl.gz": len(cold),
        "files/objects/cold/b": 0,
    }  # and not the backups before it
    # Put back: what is lost comes, what is there stays, what differs is refused.
    store.delete("cold/2026/a.jsonl.gz")
    assert put_files(where, name, KEY) == 1
    with store.open("cold/2026/a.jsonl.gz") as back:
        assert back.read() == cold
    files.must_not_differ(manifest["parts"])
    store.delete("cold/b")
    store.save("cold/b", ContentFile(b"another"))
    with pytest.raises(BadBackup, match="another cold/b"):
        files.must_not_differ(manifest["parts"])


def test_objects_that_are_erased_while_a_backup_is_taken(settings, tmp_path, monkeypatch):
    """One written anew, and one that came and went while the database was being saved."""
    settings.STORAGES = settings.STORAGES | {
        alias: folder(str(tmp_path / alias)) for alias in ("objects", "default")
    }
    settings.VAR_DIR = tmp_path / "var"
    store, rows = storages["objects"], ["cold/1", "cold/lost"]
    store.save("cold/1", ContentFile(b"1"))
    saved = []

    class Erasing(NoDatabase):
        def save(self, path):
            if not saved:
                store.save("cold/2", ContentFile(b"2"))
                rows[0] = "cold/2"
            found = super().save(path)
            if not saved:
                store.delete("cold/1")
                store.delete("cold/2")
                store.save("cold/3", ContentFile(b"3"))
                rows[0] = "cold/3"
            saved.append(found.objects)
            return found

        def named(self):
            return dict.fromkeys(rows, "")

    monkeypatch.setattr("stackmemory.backup.taking.saved_engine", Erasing)
    report = back_up(to=place(str(tmp_path / "kept")))
    assert [sorted(names) for names in saved] == [["cold/2", "cold/lost"], ["cold/3", "cold/lost"]]
    assert (report["missing"], report["files"]) == (["cold/lost"], 2)
    where, name = find(str(tmp_path / "kept"))
    with where.open(name) as stream:
        manifest = container.check(stream, lambda part, source: container.drain(source))
    assert (manifest["missing"], manifest["unnamed"]) == (["cold/lost"], ["cold/1"])


@pytest.mark.django_db
def test_large_payloads_in_a_bucket(bucket, acme, as_application):
    """Put once, read whole, told apart from damage, taken up when left behind, erased."""
    text = json.dumps({"text": "é" * 50_000})
    for workspace_id in (acme.pk, acme.pk):
        with workspace_scope(workspace_id):
            (stored,) = large.put_down(acme.pk, [text, "{}"]).values()
    assert list(blobs.stored(PAYLOADS, acme.pk)) == [stored.digest]
    assert blobs.get(PAYLOADS, acme.pk, stored.digest, stored.octets) == text
    assert 0 <= blobs.age(PAYLOADS, acme.pk, stored.digest, timezone.now()) < 3600
    stray = blobs.digest_of("left behind")
    blobs.put(PAYLOADS, acme.pk, stray, "left behind")
    other = uuid7()
    blobs.put(PAYLOADS, other, stray, "left behind")
    with as_application():
        assert sweeping.sweep_everywhere(timezone.now()) == 1  # what no event came to use
        assert list(blobs.stored(PAYLOADS, acme.pk)) == [stray]
        # and what was left behind, also of a workspace that there is none of
        assert sweeping.sweep_everywhere(timezone.now() + 2 * sweeping.GRACE) == 2
    blobs.put(PAYLOADS, other, stray, "left behind")
    with pytest.raises(blobs.Lost, match="not in the object store"):
        blobs.get(PAYLOADS, acme.pk, stored.digest, stored.octets)
    name = blobs.name_of(PAYLOADS, acme.pk, stored.digest)
    for content, words in ((b"no gzip", "damaged"), (gzip.compress(b"x" * 10**6), "damaged")):
        storages["objects"].save(name, ContentFile(content))
        with pytest.raises(blobs.Lost, match=words):
            blobs.get(PAYLOADS, acme.pk, stored.digest, stored.octets)
        storages["objects"].delete(name)
    assert (blobs.forget_workspace(acme.pk), blobs.forget_workspace(other)) == (0, 1)


def test_without_a_bucket_it_is_said(bucket, settings, monkeypatch):
    monkeypatch.setattr("stackmemory.backup.taking.saved_engine", NoDatabase)
    options = settings.STORAGES["objects"]["OPTIONS"] | {"bucket_name": "nowhere"}
    wrong = settings.STORAGES["objects"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"objects": wrong}
    with pytest.raises(BadBackup, match=r"storage:objects.*NoSuchBucket"):
        back_up(to=place("storage:objects"), key=KEY, with_files=False)
    for ask in (
        lambda: back_up(to=place(str(settings.VAR_DIR / "kept"))),
        lambda: find("storage:objects"),
    ):
        with pytest.raises(BadBackup, match=r"storage:objects does not answer.*NoSuchBucket"):
            ask()
