"""Local StackMemory stores for tests, written as each version writes them, and as none should.

Schemas are facts of the formats; `Store` writes rows into one, odd values included.
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from pathlib import Path
from typing import Any

NOW = 1_795_000_000  # seconds; November 2026

FRAMES_A = (
    "frame_id TEXT PRIMARY KEY, run_id TEXT, project_id TEXT, parent_frame_id TEXT,"
    " depth INTEGER DEFAULT 0, type TEXT, name TEXT, state TEXT DEFAULT 'active',"
    " inputs TEXT DEFAULT '{}', outputs TEXT DEFAULT '{}', digest_text TEXT,"
    " digest_json TEXT DEFAULT '{}', created_at INTEGER, closed_at INTEGER"
)
EVENTS_A = (
    "event_id TEXT PRIMARY KEY, run_id TEXT, frame_id TEXT, seq INTEGER, event_type TEXT,"
    " payload TEXT, ts INTEGER DEFAULT (unixepoch())"
)
ANCHORS_A = (
    "anchor_id TEXT PRIMARY KEY, frame_id TEXT, project_id TEXT, type TEXT, text TEXT,"
    " priority INTEGER DEFAULT 0, created_at INTEGER, metadata TEXT DEFAULT '{}'"
)
EVENTS_B = (
    "event_id TEXT PRIMARY KEY, frame_id TEXT NOT NULL, run_id TEXT NOT NULL,"
    " seq INTEGER NOT NULL, event_type TEXT NOT NULL, payload TEXT NOT NULL DEFAULT '{}',"
    " ts INTEGER NOT NULL, FOREIGN KEY (frame_id) REFERENCES frames(frame_id) ON DELETE CASCADE"
)
CONTEXTS = (
    "id TEXT PRIMARY KEY, type TEXT NOT NULL, content TEXT NOT NULL, importance REAL DEFAULT 0.5,"
    " created_at INTEGER, last_accessed INTEGER, access_count INTEGER DEFAULT 1"
)
TRACES = (
    "id TEXT PRIMARY KEY, type TEXT, score REAL, summary TEXT, start_time INTEGER,"
    " end_time INTEGER, frame_id TEXT, user_id TEXT, files_modified TEXT,"
    " errors_encountered TEXT, decisions_recorded TEXT, causal_chain INTEGER,"
    " compressed_data TEXT, created_at INTEGER"
)
TOOL_CALLS = (
    "id TEXT PRIMARY KEY, trace_id TEXT, tool TEXT, arguments TEXT, timestamp INTEGER,"
    " result TEXT, error TEXT, files_affected TEXT, duration INTEGER, sequence_number INTEGER"
)
TASK_CACHE = (
    "id TEXT PRIMARY KEY, type TEXT, timestamp INTEGER, parent_id TEXT, frame_id TEXT, title TEXT,"
    " description TEXT, status TEXT, priority TEXT, assignee TEXT, created_at INTEGER,"
    " started_at INTEGER, completed_at INTEGER, estimated_effort INTEGER, actual_effort INTEGER,"
    " depends_on TEXT, blocks TEXT, tags TEXT, external_refs TEXT, context_score REAL,"
    " last_accessed INTEGER"
)
OTHERS = {
    "attention_log": (
        "id INTEGER PRIMARY KEY AUTOINCREMENT, context_id TEXT, query TEXT, response TEXT,"
        " influence_score REAL, timestamp INTEGER"
    ),
    "schema_version": "version INTEGER PRIMARY KEY, applied_at INTEGER",
    "project_registry": "project_id TEXT PRIMARY KEY, repo_path TEXT, display_name TEXT",
    "retrieval_log": "query_text TEXT, strategy TEXT, results_count INTEGER",
    "maintenance_state": "key TEXT PRIMARY KEY, value TEXT, updated_at INTEGER",
    "frame_embeddings_chunks": "chunk_id INTEGER PRIMARY KEY, validity BLOB",
}
A = {"frames": FRAMES_A, "events": EVENTS_A, "anchors": ANCHORS_A, "contexts": CONTEXTS,
     "traces": TRACES, "tool_calls": TOOL_CALLS, "task_cache": TASK_CACHE, **OTHERS}  # fmt: skip
B = A | {"frames": FRAMES_A + ", retention_policy TEXT DEFAULT 'default'", "events": EVENTS_B}
# As a file of nobody's making: no types, no keys, columns nobody knows.
LOOSE = {
    table: ", ".join(f'"{c.strip().split()[0]}"' for c in A[table].split(","))
    + ', "what is ""this"""'
    for table in ("frames", "events", "anchors", "contexts", "traces", "tool_calls", "task_cache")
}
NO_PROJECT = A | {"anchors": ANCHORS_A.replace(" project_id TEXT,", "")}
WITHOUT_ROWID = {
    table: f"{columns}) WITHOUT ROWID"
    for table, columns in A.items()
    if "TEXT PRIMARY KEY" in columns
}
WEIRD = A | {
    'we"ird; DROP TABLE frames; --': '"select" TEXT, "a""b" BLOB, "naïve ␀" TEXT',
    "tasks": "task_id TEXT PRIMARY KEY, frame_id TEXT, anchor_id TEXT, title TEXT",
    "x" * 300: "a, b",
    "hidden rowid": '_rowid_ TEXT, "rowid" TEXT, oid TEXT',
    "pairs": "a TEXT, b INTEGER, c, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "computed": "a INTEGER, b TEXT GENERATED ALWAYS AS (a || 'x') VIRTUAL, c AS (a + 1) STORED",
}
SCHEMAS = {"A": A, "B": B, "loose": LOOSE, "no project": NO_PROJECT,
           "without rowid": WITHOUT_ROWID, "weird": WEIRD}  # fmt: skip


class Raw(bytes):
    """Bytes to be stored as TEXT, whatever they are."""


class Store:
    """Writes one context.db and, where asked, the files beside it."""

    def __init__(self, path: Path, schema: dict[str, str] = A, *, wal: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.schema = path, schema
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute(f"PRAGMA journal_mode={'wal' if wal else 'delete'}")
        self.db.execute("BEGIN")
        for table, columns in schema.items():
            if not self.db.execute(
                "SELECT 1 FROM sqlite_master WHERE name = ?", [table]
            ).fetchone():
                end = "" if columns.endswith("WITHOUT ROWID") else ")"
                self.db.execute(f"CREATE TABLE {name(table)} ({columns}{end}")
        self.seq: dict[Any, int] = {}

    def add(self, table: str, **values: Any) -> dict[str, Any]:
        columns = ", ".join(map(name, values))
        marks = ", ".join("CAST(? AS TEXT)" if isinstance(v, Raw) else "?" for v in values.values())
        sql = f"INSERT INTO {name(table)} ({columns}) VALUES ({marks})"
        self.db.execute(sql, [bytes(v) if isinstance(v, Raw) else v for v in values.values()])
        return values

    def frame(self, frame_id: Any = None, **values: Any) -> Any:
        frame_id = frame_id or new_id()
        parent = values.get("parent_frame_id")
        row = {
            "frame_id": frame_id, "run_id": "run-1", "project_id": "default", "depth": 0,
            "type": "task", "name": "Work", "state": "active", "inputs": "{}", "outputs": "{}",
            "digest_json": "{}", "created_at": NOW,
        }  # fmt: skip
        self.add("frames", **row | {"parent_frame_id": parent} | values)
        return frame_id

    def event(self, frame_id: Any, event_id: Any = None, **values: Any) -> Any:
        seq = self.seq[frame_id] = self.seq.get(frame_id, 0) + 1
        event_id = event_id or new_id()
        row = {
            "event_id": event_id, "run_id": "run-1", "frame_id": frame_id, "seq": seq,
            "event_type": "observation", "payload": js({"content": f"thing {seq}"}),
            "ts": NOW + seq,
        }  # fmt: skip
        self.add("events", **row | values)
        return event_id

    def anchor(self, frame_id: Any, anchor_id: Any = None, **values: Any) -> Any:
        anchor_id = anchor_id or new_id()
        row = {
            "anchor_id": anchor_id, "frame_id": frame_id, "type": "DECISION", "text": "Use it",
            "priority": 5, "created_at": NOW, "metadata": "{}",
        }  # fmt: skip
        self.add("anchors", **row | values)
        return anchor_id

    def context(self, context_id: Any = None, **values: Any) -> Any:
        row = {
            "id": context_id or f"decision_{random.getrandbits(40)}", "type": "decision",
            "content": "Adopt it", "importance": 0.8, "created_at": NOW, "last_accessed": NOW,
            "access_count": 1,
        }  # fmt: skip
        self.add("contexts", **row | values)
        return (row | values)["id"]

    def task(self, task_id: str, **values: Any) -> None:
        row = {
            "id": task_id, "type": "task_create", "timestamp": NOW, "frame_id": "cli",
            "title": "Do it", "status": "pending", "priority": "high", "created_at": NOW,
            "depends_on": "[]", "blocks": "[]", "tags": '["a"]', "external_refs": "{}",
        }  # fmt: skip
        self.add("task_cache", **row | values)

    def close_frame(self, frame_id: Any, *, outputs: dict[str, Any] | None = None) -> None:
        """As newer versions do: every event twice more, in the digest and in the outputs."""
        cursor = self.db.execute("SELECT * FROM events WHERE frame_id = ? ORDER BY seq", [frame_id])
        columns = [column[0] for column in cursor.description]
        events = [dict(zip(columns, row, strict=True)) for row in cursor]
        for event in events:
            event["payload"] = json.loads(event["payload"])
        by_type: dict[str, list[Any]] = {}
        for event in events[-500:]:
            by_type.setdefault(event["event_type"], []).append(event)
        digest = {
            "frameId": frame_id,
            "duration": {"startTime": NOW, "endTime": None},
            "activity": {
                "totalEvents": len(events), "eventsByType": by_type,
                "eventTimeline": events[-10:],
            },
            "outcomes": {"outputs": outputs or {}, "success": False},
        }  # fmt: skip
        self.db.execute(
            "UPDATE frames SET state = 'closed', closed_at = ?, digest_text = ?, digest_json = ?,"
            " outputs = ? WHERE frame_id = ?",
            [NOW + 100, "Completed", js(digest), js((outputs or {}) | digest), frame_id],
        )

    def ordinary(self, *, frames: int = 6, events: int = 5, closed: bool = True) -> list[str]:
        """A few weeks of believable rows in every known table."""
        ids: list[str] = []
        for number in range(frames):
            parent = ids[number // 2] if number % 3 else None
            depth = 0 if parent is None else self._depth(parent) + 1
            frame = self.frame(
                run_id=f"run-{number % 2}", name=f"Frame {number}", parent_frame_id=parent,
                depth=depth, created_at=NOW + number * 3600, project_id=f"project-{number % 2}",
            )  # fmt: skip
            ids.append(frame)
            for seq in range(events):
                ts = NOW + number * 3600 + seq
                payload = {"tool_name": "grep", "success": seq % 2 == 0, "timestamp": ts * 1000}
                self.event(
                    frame, run_id=f"run-{number % 2}", ts=ts * 1000 if seq % 2 else ts,
                    event_type="tool_result", payload=js(payload),
                )  # fmt: skip
            self.anchor(frame, text=f"Decided {number}", priority=number)
            if closed and number % 2:
                self.close_frame(frame, outputs={"result": "done"})
        self.context("decision_1")
        self.context("readme_1", type="readme", content="# Read me")
        self.task("tsk-1")
        self.task("tsk-2", status="completed", completed_at=NOW + 60, frame_id=ids[0])
        trace = new_id()
        self.add("traces", id=trace, type="unknown", score=0.5, summary="grep→edit", start_time=NOW)
        self.add("tool_calls", id=new_id(), trace_id=trace, tool="grep", timestamp=NOW * 1000)
        for table in set(self.schema) & {"attention_log", "retrieval_log"}:
            column = "query" if table == "attention_log" else "query_text"
            self.add(table, **{column: "how"})
            self.add(table, **{column: "how"})
        return ids

    def _depth(self, frame_id: str) -> int:
        query = "SELECT depth FROM frames WHERE frame_id = ?"
        return int(self.db.execute(query, [frame_id]).fetchone()[0])

    def beside(self, filename: str, text: str | bytes) -> Path:
        path = self.path.with_name(filename)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def done(self) -> Path:
        """Commit and close; returns the path."""
        self.db.execute("COMMIT")
        self.db.close()
        return self.path


def js(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def new_id() -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


TIMES = [
    NOW, NOW * 1000, NOW * 10**6, NOW * 10**9, 0, 1, -1, -(10**12), 946_684_799, 4_102_444_800,
    2**63 - 1, -(2**63), 1.5, NOW + 0.25, "2026-11-21T23:39:52.890Z", "2026-11-21 23:39:52",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "yesterday", "", "²", str(NOW), None,
    b"\x00\x01", 1e308, float("inf"), 253_402_300_799, -62_135_596_800,
]  # fmt: skip
TEXTS = [
    None, "", " ", "plain", "naïve 🐛", "<script>alert(1)</script>", "'; DROP TABLE frames; --",
    "NUL \x00 inside", Raw(b"\xff\xfe half"), Raw("half \ud83d".encode("utf-8", "surrogatepass")),
    b"\x00blob\xff", b"", 7, -7, 3.25, 2**63 - 1, "x" * 10_000, "closed", "active", "DECISION",
    "constraint", "Learning", "﻿bom", "line\nbreak\r\n", "\u2028", "\\u0000", "$text",
]  # fmt: skip
DOCUMENTS = [
    None, "", "{}", "[]", "null", "[1,2]", '"text"', "5", "true", "{", "not json", '{"a":NaN}',
    '{"a":1e999}', '{"a":-Infinity}', '{"a":1,"a":2}', '{"a":1.10,"b":1E5,"c":-0,"d":1e-7}',
    '{"nul":"\\u0000"}', '{"half":"\\ud83d"}', '{"pair":"\\ud83d\\ude00"}', '{ "spaced" : 1 }',
    "[" * 10_000 + "]" * 10_000, '{"a":' * 300 + "1" + "}" * 300, '{"n":' + "9" * 5000 + "}",
    '{"$event":"x"}', '{"$digest":"activity"}', '{"$text":"aGk="}', '{"event_id":"1"}',
    '{"a":{"b":[{"event_id":"e-1","payload":{}}]}}', Raw(b'{"a":"\xff"}'), '{"a":"\x00"}', b"{}",
    5, 2.5, '{"tool_name":"a\\u0000b","success":false}', '{"result":{"isError":true}}',
    '{"é":"\\u00e9"}', '{"big":123456789012345678901234567890}', '{"x":"</script>"}',
]  # fmt: skip
IDS = [None, "", "e-1", "e-2", "e-3", 1, "1", 1.0, b"e-1", Raw(b"\xff"), "x" * 10_000, "é" * 300,
       " e-1", "E-1", 2**63 - 1, "a\x00b"]  # fmt: skip
NUMBERS = [None, 0, 1, 5, 10, 11, -1, 2**63 - 1, -(2**63), 2.0, 2.5, "3", "three", b"\x03", 1e308]
COLUMNS = {
    "frame_id": IDS, "event_id": IDS, "anchor_id": IDS, "id": IDS, "parent_frame_id": IDS,
    "run_id": IDS, "trace_id": IDS, "seq": NUMBERS, "depth": NUMBERS, "priority": NUMBERS,
    "importance": [*NUMBERS, 0.5], "access_count": NUMBERS, "score": NUMBERS,
    "estimated_effort": NUMBERS, "actual_effort": NUMBERS, "payload": DOCUMENTS,
    "inputs": DOCUMENTS, "outputs": DOCUMENTS, "digest_json": DOCUMENTS, "metadata": DOCUMENTS,
    "depends_on": DOCUMENTS, "blocks": DOCUMENTS, "tags": DOCUMENTS, "external_refs": DOCUMENTS,
    "ts": TIMES, "created_at": TIMES, "closed_at": TIMES, "last_accessed": TIMES,
    "timestamp": TIMES, "started_at": TIMES, "completed_at": TIMES,
}  # fmt: skip


def fuzzed(path: Path, schema: dict[str, str], seed: int, rows: int = 20) -> Path:
    """A store of odd values: each column of each row from the pools above, ids likely to meet.

    A column gets each value of its pool once before any again; two seeds that follow each other have
    them all.
    """
    chance = _Dealer(seed)
    store = Store(path, schema)
    for table in schema:
        known = store.db.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", [table])
        columns = [column for (column,) in known]
        for _ in range(rows):
            row = {
                column: value
                for column in columns
                if (value := _any(chance, table, column)) is not Ellipsis
            }
            try:
                store.add(table, **row)
            except sqlite3.IntegrityError:
                continue  # the schema does not allow this one
    return store.done()


class _Dealer(random.Random):
    """Deals a pool's values to a column like cards; an odd seed begins where an even one ends."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.from_end = seed % 2
        self.decks: dict[str, list[Any]] = {}

    def deal(self, column: str, pool: list[Any]) -> Any:
        deck = self.decks.get(column)
        if not deck:
            deck = self.decks[column] = list(pool)
            random.Random(column).shuffle(deck)
            if self.from_end:
                deck.reverse()
        return deck.pop()


def _any(chance: _Dealer, table: str, column: str) -> Any:
    if table == "task_cache" and column == "priority":
        return chance.deal(f"{table} {column}", TEXTS)
    if table == "schema_version":
        return chance.choice([1, 2])
    if (table, column) == ("attention_log", "id"):
        return ...
    pool = COLUMNS.get(column, TEXTS)
    if pool is IDS and chance.random() < 0.7:
        return f"e-{chance.randrange(30)}" if chance.random() < 0.8 else new_id()
    return chance.deal(f"{table} {column}", pool)
