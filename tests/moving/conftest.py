"""What tests of moving share: an S3 endpoint, a team and its archive, an installation of ten teams."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.db import connection

from frames.cold import store
from stackmemory.archive.writing import export_workspace
from stackmemory.copying import files
from stackmemory.copying.stores import Given
from stackmemory.lib.objects import folder
from tests.databases import OwnDatabase
from tests.moving.teams import make_team
from workspaces.models import Workspace

TEAMS = 10
REGION = "eu-central-1"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3 over HTTP."""
    from moto.server import ThreadedMotoServer  # slow to import, and few tests need it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def objects(settings: Any, tmp_path: Path) -> Path:
    """A folder as the object store, and no object of cold storage at hand."""
    settings.STORAGES = settings.STORAGES | {"objects": folder(str(tmp_path / "objects"))}
    store._kept.clear()
    return tmp_path / "objects"


@pytest.fixture
def team(db: None, tmp_path: Path) -> Workspace:
    return make_team("team", tmp_path)


@pytest.fixture
def archive(team: Workspace, tmp_path: Path) -> Path:
    export_workspace(workspace=team, output=tmp_path / "team.zip")
    return tmp_path / "team.zip"


@pytest.fixture
def bucket(s3: str, monkeypatch: Any) -> str:
    """What copy_database calls an empty bucket; for processes of one's own it is the object store."""
    import boto3

    monkeypatch.setattr(files, "THREADS", 2)  # each makes a connection of its own
    client = boto3.client("s3", endpoint_url=s3, aws_access_key_id="key",
                          aws_secret_access_key="secret", region_name=REGION)  # fmt: skip
    client.create_bucket(Bucket="moved", CreateBucketConfiguration={"LocationConstraint": REGION})
    for name, value in (("BUCKET", "moved"), ("ENDPOINT", s3), ("REGION", REGION), ("KEY", "key"),
                        ("SECRET", "secret")):  # fmt: skip
        monkeypatch.setenv(f"OBJECTS_S3_{name}", value)
    return f"s3://key:secret@moved?endpoint={s3}&region={REGION}"


class Trial(NamedTuple):
    """An SQLite installation with ten teams, an empty migrated one, and what is known of the first."""

    url: str
    home: Path
    empty: Path
    known: dict[str, Any]

    def given(self, home: Path, **others: str) -> Given:
        """Its files, to be copied where OwnDatabase.run has them in `home`."""
        return Given(**{
            "from_objects": str(self.home / "var" / "objects"),
            "from_media": str(self.home / "var" / "files"),
            "to_objects": str(home / "var" / "objects"),
            "to_media": str(home / "var" / "files"),
        } | others)  # fmt: skip

    def target(self, home: Path, name: str = "target") -> str:
        """The URL of an empty installation."""
        shutil.copy(self.empty, home / f"{name}.sqlite3")
        return f"sqlite:///{home / f'{name}.sqlite3'}"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="session")
def trial(own_database: Any, tmp_path_factory: Any) -> Trial:
    home = tmp_path_factory.mktemp("trial")
    empty, full = home / "empty.sqlite3", home / "trial.sqlite3"
    if connection.vendor == "sqlite":
        shutil.copy(own_database(home).url.removeprefix("sqlite:///"), empty)
    else:
        OwnDatabase(f"sqlite:///{empty}").run(home, "manage.py", "migrate", "-v0")
    shutil.copy(empty, full)
    filled = OwnDatabase(f"sqlite:///{full}")
    told = filled.run(home, "-m", "tests.moving.fill", str(TEAMS), str(home))
    return Trial(filled.url, home, empty, json.loads(told))
