"""The tables of a local store, in both generations: facts of the format, for writing one.

Types matter to the tools that open it, and NOT NULL to nobody; a column that would change or refuse
a value is declared without either (frames/transfer/writing.py).
"""

from __future__ import annotations

from typing import Literal

Generation = Literal["old", "new"]

# name → "column TYPE …" as declared; "!" marks NOT NULL, "=" a default.
FRAMES = {
    "frame_id": "TEXT PRIMARY KEY", "run_id": "TEXT NOT NULL", "project_id": "TEXT NOT NULL",
    "parent_frame_id": "TEXT REFERENCES frames(frame_id)", "depth": "INTEGER NOT NULL DEFAULT 0",
    "type": "TEXT NOT NULL", "name": "TEXT NOT NULL", "state": "TEXT DEFAULT 'active'",
    "inputs": "TEXT DEFAULT '{}'", "outputs": "TEXT DEFAULT '{}'", "digest_text": "TEXT",
    "digest_json": "TEXT DEFAULT '{}'", "created_at": "INTEGER DEFAULT (unixepoch())",
    "closed_at": "INTEGER",
}  # fmt: skip
RETENTION = {"retention_policy": "TEXT DEFAULT 'default'"}
EVENTS = {
    "event_id": "TEXT PRIMARY KEY", "run_id": "TEXT NOT NULL",
    "frame_id": "TEXT NOT NULL REFERENCES frames(frame_id)", "seq": "INTEGER NOT NULL",
    "event_type": "TEXT NOT NULL", "payload": "TEXT NOT NULL",
    "ts": "INTEGER DEFAULT (unixepoch())",
}  # fmt: skip
ANCHORS = {
    "anchor_id": "TEXT PRIMARY KEY", "frame_id": "TEXT NOT NULL REFERENCES frames(frame_id)",
    "project_id": "TEXT NOT NULL DEFAULT ''", "type": "TEXT NOT NULL", "text": "TEXT NOT NULL",
    "priority": "INTEGER DEFAULT 0", "created_at": "INTEGER DEFAULT (unixepoch())",
    "metadata": "TEXT DEFAULT '{}'",
}  # fmt: skip
CASCADE = " ON DELETE CASCADE"
CONTEXTS = {
    "id": "TEXT PRIMARY KEY", "type": "TEXT NOT NULL", "content": "TEXT NOT NULL",
    "importance": "REAL DEFAULT 0.5", "created_at": "INTEGER DEFAULT (unixepoch())",
    "last_accessed": "INTEGER DEFAULT (unixepoch())", "access_count": "INTEGER DEFAULT 1",
}  # fmt: skip
ATTENTION_LOG = {
    "id": "INTEGER PRIMARY KEY AUTOINCREMENT", "context_id": "TEXT", "query": "TEXT",
    "response": "TEXT", "influence_score": "REAL", "timestamp": "INTEGER DEFAULT (unixepoch())",
}  # fmt: skip
TRACES = {
    "id": "TEXT PRIMARY KEY", "type": "TEXT NOT NULL", "score": "REAL NOT NULL",
    "summary": "TEXT NOT NULL", "start_time": "INTEGER NOT NULL", "end_time": "INTEGER NOT NULL",
    "frame_id": "TEXT REFERENCES frames(frame_id) ON DELETE SET NULL", "user_id": "TEXT",
    "files_modified": "TEXT", "errors_encountered": "TEXT", "decisions_recorded": "TEXT",
    "causal_chain": "INTEGER", "compressed_data": "TEXT",
    "created_at": "INTEGER DEFAULT (unixepoch())",
}  # fmt: skip
TOOL_CALLS = {
    "id": "TEXT PRIMARY KEY", "trace_id": "TEXT NOT NULL REFERENCES traces(id) ON DELETE CASCADE",
    "tool": "TEXT NOT NULL", "arguments": "TEXT", "timestamp": "INTEGER NOT NULL",
    "result": "TEXT", "error": "TEXT", "files_affected": "TEXT", "duration": "INTEGER",
    "sequence_number": "INTEGER NOT NULL",
}  # fmt: skip
TASK_CACHE = {
    "id": "TEXT PRIMARY KEY", "type": "TEXT NOT NULL", "timestamp": "INTEGER NOT NULL",
    "parent_id": "TEXT", "frame_id": "TEXT NOT NULL", "title": "TEXT NOT NULL",
    "description": "TEXT", "status": "TEXT NOT NULL", "priority": "TEXT NOT NULL",
    "assignee": "TEXT", "created_at": "INTEGER NOT NULL", "started_at": "INTEGER",
    "completed_at": "INTEGER", "estimated_effort": "INTEGER", "actual_effort": "INTEGER",
    "depends_on": "TEXT DEFAULT '[]'", "blocks": "TEXT DEFAULT '[]'", "tags": "TEXT DEFAULT '[]'",
    "external_refs": "TEXT DEFAULT '{}'", "context_score": "REAL DEFAULT 0.5",
    "last_accessed": "INTEGER",
}  # fmt: skip
STORAGE_TIERS = {
    "trace_id": "TEXT PRIMARY KEY REFERENCES traces(id) ON DELETE CASCADE",
    "tier": "TEXT NOT NULL", "location": "TEXT NOT NULL", "original_size": "INTEGER",
    "compressed_size": "INTEGER", "compression_ratio": "REAL",
    "access_count": "INTEGER DEFAULT 0", "last_accessed": "INTEGER", "created_at": "INTEGER",
    "migrated_at": "INTEGER", "score": "REAL",
}  # fmt: skip
SCHEMA_VERSION = {
    "version": "INTEGER PRIMARY KEY", "applied_at": "INTEGER DEFAULT (unixepoch())",
}  # fmt: skip
NOW_MS = "INTEGER NOT NULL DEFAULT (unixepoch() * 1000)"
NEWER = {
    "schema_version": SCHEMA_VERSION,
    "retrieval_log": {
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT", "query_text": "TEXT NOT NULL",
        "strategy": "TEXT NOT NULL", "results_count": "INTEGER NOT NULL", "top_score": "REAL",
        "latency_ms": "INTEGER NOT NULL", "result_frame_ids": "TEXT", "created_at": NOW_MS,
    },
    "maintenance_state": {
        "key": "TEXT PRIMARY KEY", "value": "TEXT NOT NULL", "updated_at": NOW_MS,
    },
    "project_registry": {
        "project_id": "TEXT PRIMARY KEY", "repo_path": "TEXT NOT NULL", "display_name": "TEXT",
        "db_path": "TEXT NOT NULL", "is_active": "INTEGER DEFAULT 0", "created_at": NOW_MS,
        "last_accessed": NOW_MS,
    },
    "edit_telemetry": {
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT", "timestamp": "INTEGER NOT NULL",
        "session_id": "TEXT", "tool_name": "TEXT NOT NULL", "file_path": "TEXT",
        "success": "INTEGER NOT NULL DEFAULT 1", "error_type": "TEXT", "error_message": "TEXT",
    },
    "retrieval_audit": {
        "id": "TEXT PRIMARY KEY", "timestamp": "INTEGER NOT NULL", "project_id": "TEXT NOT NULL",
        "query": "TEXT NOT NULL", "reasoning": "TEXT NOT NULL",
        "frames_retrieved": "TEXT NOT NULL", "confidence_score": "REAL NOT NULL",
        "provider": "TEXT NOT NULL", "tokens_used": "INTEGER NOT NULL",
        "token_budget": "INTEGER NOT NULL", "analysis_time_ms": "INTEGER NOT NULL",
        "query_complexity": "TEXT NOT NULL",
    },
}  # fmt: skip
COMMON = {
    "contexts": CONTEXTS,
    "attention_log": ATTENTION_LOG,
    "traces": TRACES,
    "tool_calls": TOOL_CALLS,
}
Tables = dict[str, dict[str, str]]
# Tables that every store of a generation has.
TABLES: dict[Generation, Tables] = {
    "old": {
        "frames": FRAMES, "events": EVENTS, "anchors": ANCHORS, "task_cache": TASK_CACHE, **COMMON,
    },
    "new": {
        "frames": FRAMES | RETENTION,
        "events": EVENTS | {"frame_id": EVENTS["frame_id"] + CASCADE},
        "anchors": ANCHORS | {"frame_id": ANCHORS["frame_id"] + CASCADE},
        **COMMON, **NEWER,
    },
}  # fmt: skip
# What a store may have besides, made when a row needs it.
KNOWN: Tables = {
    **NEWER, "task_cache": TASK_CACHE, "storage_tiers": STORAGE_TIERS, "frames": RETENTION,
}  # fmt: skip
INDEXES = {
    "idx_frames_run": "frames(run_id)",
    "idx_frames_parent": "frames(parent_frame_id)",
    "idx_frames_state": "frames(state)",
    "idx_events_frame": "events(frame_id)",
    "idx_events_seq": "events(frame_id, seq)",
    "idx_anchors_frame": "anchors(frame_id)",
}
# The index that a store of schema version 2 keeps over its frames; the tool reads it as it is.
FULL_TEXT = """
CREATE VIRTUAL TABLE frames_fts USING fts5(
  name, digest_text, inputs, outputs, content='frames', content_rowid='rowid');
INSERT INTO frames_fts(frames_fts) VALUES ('rebuild');
CREATE TRIGGER frames_ai AFTER INSERT ON frames BEGIN
  INSERT INTO frames_fts(rowid, name, digest_text, inputs, outputs)
  VALUES (new.rowid, new.name, new.digest_text, new.inputs, new.outputs); END;
CREATE TRIGGER frames_ad AFTER DELETE ON frames BEGIN
  INSERT INTO frames_fts(frames_fts, rowid, name, digest_text, inputs, outputs)
  VALUES ('delete', old.rowid, old.name, old.digest_text, old.inputs, old.outputs); END;
CREATE TRIGGER frames_au AFTER UPDATE ON frames BEGIN
  INSERT INTO frames_fts(frames_fts, rowid, name, digest_text, inputs, outputs)
  VALUES ('delete', old.rowid, old.name, old.digest_text, old.inputs, old.outputs);
  INSERT INTO frames_fts(rowid, name, digest_text, inputs, outputs)
  VALUES (new.rowid, new.name, new.digest_text, new.inputs, new.outputs); END;
"""
# Parts of indexes that tools make themselves from the rows; written as tables they would be in
# their way.
DERIVED = ("frames_fts", "frame_embeddings", "sqlite_")
