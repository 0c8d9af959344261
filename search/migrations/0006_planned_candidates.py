"""Candidates planned with the words in sight; kinds and types that suffice singly."""

from pathlib import Path

from django.db import migrations

from stackmemory.lib.ddl import VendorSQL

SQL = Path(__file__).parent / "sql"
OLD = (
    "text[], float8[], uuid, uuid[], text[], text[], timestamptz, timestamptz, uuid[], text[],"
    " boolean, float8, float8, text[], int"
)
NEW = (
    "tsquery, text[], float8[], uuid, uuid[], text[], text[], boolean, timestamptz, timestamptz,"
    " uuid[], text[], boolean, float8, float8, text[], int"
)


class Migration(migrations.Migration):
    dependencies = [("search", "0005_vector_sets")]

    operations = [
        VendorSQL(
            "postgresql",
            [
                (f"DROP FUNCTION search_candidates({OLD})", None),
                ((SQL / "candidates_planned.sql").read_text(), None),
            ],
            [
                (f"DROP FUNCTION search_candidates({NEW})", None),
                ((SQL / "candidates_by_person.sql").read_text(), None),
            ],
        ),
    ]
