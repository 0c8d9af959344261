"""What an import had to adjust, with the sentence that explains it in a report."""

from __future__ import annotations

REASONS = {
    "cycle": "Its parents form a circle; the link of the earliest frame was cut.",
    "duplicate_seq": "Another event of the frame has the same number; both are kept.",
    "empty_name": "It has no name; the empty name is kept and shown as “(no name)”.",
    "invalid_json": "A JSON column holds text that is not JSON; the text is kept as it is.",
    "invalid_text": "Text that is not UTF-8, or half a character; shown with �, bytes kept.",
    "json_lone_surrogate": "JSON with half a character (\\ud800 …); kept as written.",
    "json_not_object": "JSON that is not an object; kept as it is.",
    "json_nul": "JSON with an escaped NUL (\\u0000); kept as written.",
    "missing_frame": "Its frame is not in the store; an empty one stands in for it.",
    "missing_parent": "Its parent is not in the store; it is shown as a root.",
    "no_time": "Its time is missing or no time at all; its frame's (or 1970) stands in.",
    "non_uuid_id": "Its id is no UUID; the id is kept.",
    "priority_out_of_range": "A priority beyond 0–10; kept, shown as the nearest.",
    "raw_nul": "Text with a NUL byte; shown as ␀, bytes kept.",
    "self_parent": "It is its own parent; it is shown as a root.",
    "time_before_2000": "A time before the year 2000; kept.",
    "time_in_future": "A time in the future; kept.",
    "wrong_depth": "Its depth was not that of its place in the tree; the right one is used.",
    "wrong_type": "A column holds a value of another type; kept beside the row.",
}
SET_ASIDE = {
    "no_id": "The row has no id.",
    "broken_line": "The line is no complete JSON object, as after a crash while it was written.",
}
CONFLICT = {
    "other_content": "A row with this id but other content was imported before; both are kept.",
    "edited_here": "The row changed in its source and was edited here too; both are kept.",
    "twice": "The store holds this id twice with different content; both are kept.",
}
