"""Full text: GIN and functions on PostgreSQL, FTS5 on SQLite."""

from pathlib import Path

from django.db import migrations

from stackmemory.lib.ddl import SameWorkspace, VendorSQL

SQL = Path(__file__).parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("search", "0001_initial"), ("frames", "0003_same_workspace")]

    operations = [
        SameWorkspace("search_document", "project_id", "frames_project"),
        SameWorkspace("search_document", "frame_id", "frames_frame"),
        SameWorkspace("search_embedding", "document_id", "search_document"),
        VendorSQL(
            "postgresql",
            "CREATE INDEX document_terms ON search_document USING gin (workspace_id, terms)",
            "DROP INDEX document_terms",
        ),
        VendorSQL(
            "postgresql",
            [((SQL / "candidates.sql").read_text(), None)],
            "DROP FUNCTION search_candidates; DROP FUNCTION search_word_counts",
        ),
        VendorSQL(
            "sqlite",
            (SQL / "fts.sql").read_text(),
            "DROP TRIGGER IF EXISTS search_document_fts_insert; DROP TRIGGER IF EXISTS search_document_fts_delete;"
            " DROP TRIGGER IF EXISTS search_document_fts_update; DROP TABLE search_document_fts",
        ),
    ]
