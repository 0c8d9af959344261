"""References stay within a workspace, and events get months, by the database's own means."""

from pathlib import Path

from django.db import migrations

from stackmemory.lib.ddl import SameWorkspace, VendorSQL

MAKE_MONTH = (Path(__file__).parent / "sql" / "make_month.sql").read_text()


class Migration(migrations.Migration):
    dependencies = [("frames", "0002_references")]

    operations = [
        SameWorkspace("frames_agentsession", "project_id", "frames_project"),
        SameWorkspace("frames_frame", "project_id", "frames_project"),
        SameWorkspace("frames_frame", "session_id", "frames_agentsession"),
        SameWorkspace("frames_frame", "parent_id", "frames_frame"),
        SameWorkspace("frames_event", "frame_id", "frames_frame"),
        SameWorkspace("frames_event", "session_id", "frames_agentsession"),
        SameWorkspace("frames_anchor", "project_id", "frames_project"),
        SameWorkspace("frames_anchor", "frame_id", "frames_frame"),
        SameWorkspace("frames_anchor", "superseded_by_id", "frames_anchor"),
        SameWorkspace("frames_task", "project_id", "frames_project"),
        SameWorkspace("frames_task", "frame_id", "frames_frame"),
        SameWorkspace("frames_keptrow", "project_id", "frames_project"),
        SameWorkspace("frames_activity", "project_id", "frames_project"),
        SameWorkspace("frames_transfer", "project_id", "frames_project"),
        SameWorkspace("frames_transferitem", "transfer_id", "frames_transfer"),
        VendorSQL(
            "postgresql",
            [(MAKE_MONTH, None)],
            "DROP FUNCTION IF EXISTS frames_event_make_month(date)",
        ),
    ]
