"""What is to be done, was done, or waits, in the sample's projects."""

from __future__ import annotations

from typing import Any

# `frame` names the frame a task belongs to, `after` the keys of tasks it waits for.
TASKS: tuple[dict[str, Any], ...] = (
    {"key": "uk", "project": "dispatch-api", "days": 4, "title": "Customs declarations for parcels to the UK", "status": "in_progress", "priority": "urgent", "assignee": "maya", "estimated_minutes": 960.0, "tags": ["customs", "deadline"], "frame": "Customs declarations for parcels to the UK", "description": "Every parcel EU → GB needs a full electronic declaration from 1 December."},
    {"key": "hs", "project": "dispatch-api", "days": 4, "title": "Tell merchants which products lack an HS code", "status": "pending", "priority": "high", "assignee": "jonas", "estimated_minutes": 240.0, "tags": ["customs"], "after": ("uk",), "description": "4,117 products sold to the UK have none. A list per shop, and an e-mail with the link."},
    {"key": "c1", "project": "dispatch-api", "days": 3, "title": "Send declarations to CourierOne (eight-digit codes, PDF)", "status": "pending", "priority": "high", "assignee": "maya", "estimated_minutes": 480.0, "tags": ["customs", "courierone"], "after": ("uk",)},
    {"key": "je", "project": "dispatch-api", "days": 0, "title": "Ask NordPost about Jersey and Guernsey", "status": "pending", "priority": "medium", "assignee": "priya", "tags": ["customs", "nordpost"]},
    {"key": "resend", "project": "dispatch-api", "days": 18, "title": "Button to send one webhook delivery again", "status": "completed", "priority": "medium", "assignee": "jonas", "estimated_minutes": 120.0, "actual_minutes": 95.0, "took_days": 6, "tags": ["webhooks", "support"]},
    {"key": "order", "project": "dispatch-api", "days": 17, "title": "Document that scans may arrive out of order", "status": "pending", "priority": "low", "tags": ["webhooks", "docs"]},
    {"key": "pickups", "project": "dispatch-api", "days": 1, "title": "POST /pickups takes wall time and zone", "status": "in_progress", "priority": "high", "assignee": "jonas", "estimated_minutes": 180.0, "tags": ["pickups"], "description": "Either {start, end} in UTC or {day, from, to, zone}; exactly one of the two."},
    {"key": "replica", "project": "platform", "days": 14, "title": "Alert when a replica is in recovery mode", "status": "completed", "priority": "high", "assignee": "priya", "estimated_minutes": 60.0, "actual_minutes": 50.0, "took_days": 1, "tags": ["postgres", "alerts"]},
    {"key": "drain", "project": "platform", "days": 14, "title": "Deploy stops at a failed migrate before it drains pods", "status": "completed", "priority": "urgent", "assignee": "priya", "estimated_minutes": 180.0, "actual_minutes": 260.0, "took_days": 2, "tags": ["deploy"]},
    {"key": "ts", "project": "platform", "days": 5, "title": "timescaledb 2.23 on the PostgreSQL 16 server", "status": "in_progress", "priority": "high", "assignee": "priya", "estimated_minutes": 120.0, "tags": ["postgres"], "description": "Has to run for a week before the upgrade."},
    {"key": "pg18", "project": "platform", "days": 5, "title": "Upgrade production to PostgreSQL 18", "status": "blocked", "priority": "high", "assignee": "priya", "estimated_minutes": 60.0, "tags": ["postgres"], "after": ("ts",)},
    {"key": "keys", "project": "platform", "days": 4, "title": "Rotate all carrier credentials", "status": "blocked", "priority": "high", "assignee": "priya", "estimated_minutes": 240.0, "tags": ["security"], "frame": "Rotate all carrier credentials", "description": "CourierOne: ticket C1-88213, waits for their account manager."},
    {"key": "redis", "project": "platform", "days": 3, "title": "Move sessions out of Redis and switch it off", "status": "pending", "priority": "low", "estimated_minutes": 180.0, "tags": ["cost"]},
    {"key": "tiles", "project": "platform", "days": 2, "title": "Tile cache for the tracking page", "status": "completed", "priority": "medium", "assignee": "priya", "estimated_minutes": 120.0, "actual_minutes": 140.0, "took_days": 1, "tags": ["tracking"]},
    {"key": "zpl", "project": "dispatch-api", "days": 11, "title": "Ask NordPost for labels without the embedded font", "status": "cancelled", "priority": "low", "assignee": "jonas", "tags": ["labels"], "description": "Not needed since merging shares fonts."},
    {"key": "a11y", "project": "dispatch-web", "days": 9, "title": "axe on every page of the sitemap in CI", "status": "completed", "priority": "high", "assignee": "tomas", "estimated_minutes": 180.0, "actual_minutes": 210.0, "took_days": 3, "tags": ["accessibility"]},
    {"key": "tender", "project": "dispatch-web", "days": 9, "title": "WCAG statement for the tender", "status": "in_progress", "priority": "high", "assignee": "robin", "tags": ["accessibility"], "after": ("a11y",)},
    {"key": "print", "project": "dispatch-web", "days": 8, "title": "Pick list on 80 mm rolls", "status": "pending", "priority": "low", "assignee": "tomas", "tags": ["warehouse"]},
    {"key": "flag", "project": "dispatch-web", "days": 1, "title": "Remove the flag pickup-wall-time", "status": "pending", "priority": "medium", "assignee": "robin", "tags": ["pickups"], "after": ("pickups",)},
    {"key": "moment", "project": "dispatch-web", "days": 18, "title": "Remove moment from the bundle", "status": "completed", "priority": "medium", "assignee": "tomas", "estimated_minutes": 90.0, "actual_minutes": 60.0, "took_days": 1, "tags": ["performance"]},
)  # fmt: skip
