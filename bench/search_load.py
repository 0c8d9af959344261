"""Writing bench/search's documents into the product's tables, by COPY as the tables' owner.

Of each frame's documents the first is the frame's own, in every second frame the second is an
anchor's, the others are events'. The vectors stand under the name of the model that comes along.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from bench.search_data import DIMENSION, IN_FRAME, Data

MODEL = "all-MiniLM-L6-v2-int8"
HASH = "0" * 64
CHUNK = 20_000
NOW = datetime(2026, 11, 1, tzinfo=UTC)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def load(connection: Any, data: Data) -> None:
    """Workspaces, projects, frames, documents and vectors; then what a host's autovacuum does."""
    project_of, frames = _frames(data)
    anchors: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        _copy(cursor, "workspaces_workspace (id, slug, name, settings, plan, created_at)", (
            (id_, f"team-{n}", f"Team {n}", "{}", "free", NOW)
            for n, id_ in enumerate(data.workspaces)
        ))  # fmt: skip
        _copy(
            cursor,
            "frames_project (id, workspace_id, created_at, slug, name, repo_url, aliases, settings)",
            ((project_of[id_], id_, NOW, "app", "App", "", "[]", "{}") for id_ in data.workspaces),
        )
        _copy(cursor, f"frames_frame ({FRAME})", (
            (id_, w, NOW, project_of[w], id_, 0, "task", f"Work {n}", "closed", "team", "{}", "{}",
             "", "{}", "{}", "", NOW, IN_FRAME, 0, 0, 0, "")
            for n, (id_, w) in enumerate(frames)
        ))  # fmt: skip
        with cursor.copy(f"COPY search_document ({DOCUMENT}) FROM STDIN") as copy:
            for rows in _documents(data, project_of, [id_ for id_, _ in frames], anchors):
                copy.write(rows)
        _copy(cursor, f"frames_anchor ({ANCHOR})", (
            (*anchor, 5, False, "[]", NOW, "{}", "anchor", "") for anchor in anchors
        ))  # fmt: skip
        with cursor.copy(f"COPY search_embedding ({EMBEDDING}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0))
            for start in range(0, len(data.of), CHUNK):
                copy.write(_embeddings(data, start, min(start + CHUNK, len(data.of))))
            copy.write(struct.pack(">h", -1))
    connection.commit()
    _arrange(connection, data)
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")


def _arrange(connection: Any, data: Data) -> None:
    """As search/near.py would have done in the course of time: large teams' vectors are in buckets."""
    from search.near import BUCKETS, LARGE

    sizes = np.bincount(data.of, minlength=len(data.workspaces))
    full = [0] * BUCKETS
    for number in np.argsort(-sizes):
        workspace, size = data.workspaces[number], int(sizes[number])
        bucket = min(range(BUCKETS), key=lambda each: full[each]) if size >= LARGE else None
        connection.execute(
            "INSERT INTO search_vectorset (id, created_at, workspace_id, model, dimension,"
            " is_complete, bucket, is_arranged, size)"
            " VALUES (gen_random_uuid(), now(), %s, %s, %s, true, %s, %s, %s)",
            [workspace, MODEL, DIMENSION, bucket, bucket is not None, size],
        )
        if bucket is not None:
            full[bucket] += size
    connection.execute(
        "UPDATE search_embedding e SET bucket = s.bucket FROM search_vectorset s"
        " WHERE s.workspace_id = e.workspace_id AND s.bucket IS NOT NULL"
    )
    connection.commit()
    connection.execute("SET maintenance_work_mem = '2GB'")
    for bucket, size in enumerate(full):
        if size:
            connection.execute("SELECT search_near_index(%s, %s, %s)", [MODEL, DIMENSION, bucket])


FRAME = (
    "id, workspace_id, created_at, project_id, root_id, depth, type, name, state, visibility, inputs,"
    " outputs, digest_text, digest, metadata, retention, started_at, event_count, error_count,"
    " anchor_count, child_count, source_project"
)
ANCHOR = (
    "id, workspace_id, created_at, project_id, frame_id, type, text, priority, pinned, aliases,"
    " noted_at, metadata, origin, source_project"
)
DOCUMENT = (
    "id, created_at, workspace_id, kind, object_id, project_id, frame_id, type, title, text, who, at,"
    " place, superseded, pinned, aliases, terms, length, content_hash"
)
EMBEDDING = "id, created_at, model, dimension, content_hash, vector, document_id, workspace_id"


def _frames(data: Data) -> tuple[dict[UUID, UUID], list[tuple[UUID, UUID]]]:
    """The project of each workspace; each frame's id and workspace, by number."""
    random = np.random.default_rng(data.seed + 1)
    project_of = {id_: UUID(bytes=random.bytes(16)) for id_ in data.workspaces}
    owner = np.zeros(int(data.frame.max()) + 1, dtype=int)
    owner[data.frame] = data.of
    return project_of, [(UUID(bytes=random.bytes(16)), data.workspaces[w]) for w in owner]


def _copy(cursor: Any, into: str, rows: Iterator[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _documents(
    data: Data, project_of: dict[UUID, UUID], frames: list[UUID], anchors: list[tuple[Any, ...]]
) -> Iterator[str]:
    from search.analyze import terms_of

    place: Counter[int] = Counter()
    for start in range(0, len(data.of), CHUNK):
        stop = min(start + CHUNK, len(data.of))
        rows = []
        for number, words in enumerate(data.texts(start, stop), start=start):
            frame = int(data.frame[number])
            place[frame] += 1
            workspace = data.workspaces[data.of[number]]
            found: dict[str, list[str]] = {}
            for at, word in enumerate(words, start=1):
                for term in terms_of(word):
                    found.setdefault(term, []).append(str(at))
            terms = " ".join(f"'{term}':{','.join(at)}" for term, at in found.items())
            id_, text = data.id_of(number), " ".join(words)
            kind, object_id, type_, at = "event", id_, "assistant_message", str(place[frame])
            if place[frame] == 1:
                kind, object_id, type_, at = "frame", frames[frame], "task", "\\N"
            elif place[frame] == 2 and frame % 2:
                kind, type_, at = "anchor", ("DECISION", "FACT", "RISK")[frame % 3], "\\N"
                anchors.append(
                    (id_, workspace, NOW, project_of[workspace], frames[frame], type_, text)
                )
            when = NOW + timedelta(minutes=number % 40_000 - 40_000)
            rows.append(
                f"{id_}\t{NOW}\t{workspace}\t{kind}\t{object_id}\t{project_of[workspace]}"
                f"\t{frames[frame]}\t{type_}\tWork {frame}\t{text}\t\t{when}\t{at}"
                f"\tf\tf\t[]\t{terms}\t{len(words)}\t{HASH}\n"
            )
        yield "".join(rows)


def _embeddings(data: Data, start: int, stop: int) -> bytes:
    """Rows in PostgreSQL's binary format, all at once: every field has a fixed length."""
    count, name = stop - start, MODEL.encode()
    fields: list[tuple[str, Any]] = [
        ("id", "V16"), ("created_at", ">i8"), ("model", f"V{len(name)}"), ("dimension", ">i4"),
        ("content_hash", "V64"), ("vector", [("size", ">i2"), ("unused", ">i2"), ("x", ">u2", DIMENSION)]),
        ("document_id", "V16"), ("workspace_id", "V16"),
    ]  # fmt: skip
    row = np.dtype([("fields", ">i2"), *(
        part for field, kind in fields for part in ((f"_{field}", ">i4"), (field, kind))
    )])  # fmt: skip
    rows = np.zeros(count, dtype=row)
    rows["fields"] = len(fields)
    for field, _ in fields:
        rows[f"_{field}"] = row[field].itemsize
    rows["created_at"] = int((NOW - EPOCH).total_seconds() * 1_000_000)
    rows["model"], rows["content_hash"] = np.void(name), np.void(HASH.encode())
    rows["dimension"] = rows["vector"]["size"] = DIMENSION
    rows["vector"]["x"] = data.vectors[start:stop].view(np.uint16)
    ids = np.ascontiguousarray(data.ids[start:stop])
    rows["id"] = rows["document_id"] = ids.view("V16").ravel()
    owners = np.frombuffer(b"".join(w.bytes for w in data.workspaces), dtype="V16")
    rows["workspace_id"] = owners[data.of[start:stop]]
    return rows.tobytes()
