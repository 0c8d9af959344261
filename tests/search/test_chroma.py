"""A ChromaDB store, brought over: from a file of its schema, and from the package where it is there."""

from __future__ import annotations

import io
import sqlite3

import pytest
from django.core.management import CommandError, call_command

from frames.models import Event, Frame
from search.indexing import reindex
from search.searching import search
from stackmemory.lib.tenancy import workspace_scope
from tests.search.conftest import acting

pytestmark = pytest.mark.django_db
SCHEMA = """
CREATE TABLE collections (id TEXT PRIMARY KEY, name TEXT, dimension INTEGER);
CREATE TABLE segments (id TEXT PRIMARY KEY, type TEXT, scope TEXT, collection TEXT);
CREATE TABLE embeddings (id INTEGER PRIMARY KEY, segment_id TEXT, embedding_id TEXT, seq_id BLOB);
CREATE TABLE embedding_metadata (id INTEGER, key TEXT, string_value TEXT, int_value INTEGER,
    float_value REAL, bool_value INTEGER, PRIMARY KEY (id, key));
INSERT INTO collections VALUES ('c1', 'notes', 384), ('c2', 'empty', NULL);
INSERT INTO segments VALUES ('m1', 'sqlite', 'METADATA', 'c1'), ('v1', 'hnsw', 'VECTOR', 'c1');
"""
SECRET = "AKIAQYLPMN5HHHFPZAM2"


@pytest.fixture
def folder(tmp_path):
    with sqlite3.connect(tmp_path / "chroma.sqlite3") as store:
        store.executescript(SCHEMA)
        for number in range(1, 1203):
            add(store, number, f"note number {number}")
        add(store, 1203, f"zebra crossing with {SECRET}", timestamp=1_700_000_000)
        add(store, 1204, None)
    return tmp_path


def add(store, number, text, **numbers):
    store.execute("INSERT INTO embeddings VALUES (?, 'm1', ?, ?)", (number, f"d{number}", number))
    rows = [("chroma:document", text, None)] if text else []
    rows += [(name, None, value) for name, value in numbers.items()]
    for key, said, value in rows:
        store.execute(
            "INSERT INTO embedding_metadata VALUES (?, ?, ?, ?, NULL, NULL)",
            (number, key, said, value),
        )


def run(path, workspace="acme"):
    out = io.StringIO()
    call_command("import_chroma", str(path), workspace=workspace, stdout=out)
    return out.getvalue().splitlines()[-1]


def test_documents_are_brought_over_found_and_not_twice(folder, acme, alice, as_application):
    with as_application():
        assert run(folder) == (
            "2 collections, 1203 documents brought in, 0 known already, 1 without a text"
        )
        assert run(folder / "chroma.sqlite3") == (
            "2 collections, 0 documents brought in, 1203 known already, 1 without a text"
        )
        reindex(workspace=acme)
        with workspace_scope(acme.pk):
            (hit, *_) = search(actor=acting(acme, alice), text="zebra")
            assert hit.document.head.startswith("zebra crossing")
            assert hit.document.at.year == 2023
            assert SECRET not in hit.document.head
    assert set(Frame.unscoped.values_list("name", flat=True)) == {"notes", "empty"}
    assert Event.unscoped.count() == 1203


def test_what_is_no_store_is_refused_in_a_sentence(tmp_path, acme):
    with pytest.raises(CommandError, match=r"no chroma\.sqlite3"):
        run(tmp_path)
    (tmp_path / "chroma.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(CommandError, match="cannot be read"):
        run(tmp_path)
    (tmp_path / "chroma.sqlite3").unlink()
    sqlite3.connect(tmp_path / "chroma.sqlite3").execute("CREATE TABLE x (y)")
    with pytest.raises(CommandError, match="no ChromaDB store"):
        run(tmp_path)
    with pytest.raises(CommandError, match="no workspace"):
        run(tmp_path, workspace="nobody")


def test_a_store_that_the_package_wrote(tmp_path, acme):
    chromadb = pytest.importorskip("chromadb")
    client = chromadb.PersistentClient(path=str(tmp_path))
    collection = client.create_collection("real")
    collection.add(ids=["a"], documents=["a real note"], embeddings=[[0.1] * 3])
    assert run(tmp_path).startswith("1 collections, 1 documents")
