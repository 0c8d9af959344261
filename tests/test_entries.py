"""What events of the known shapes say to a reader."""

import json
from datetime import timedelta

from frames.entries import entries, entry_of
from frames.payload import WHOLE
from frames.timeline import Line
from stackmemory.lib.uuid7 import uuid7
from tests.stacks import NOON


def line(kind, payload, *, seconds=0, error=False):
    text = payload if isinstance(payload, str) else json.dumps(payload)
    at = NOON + timedelta(seconds=seconds)
    return Line(uuid7(), uuid7(), 1, kind, at, "", error, 0, text, len(text))


def shown(kind, payload, **fields):
    return entry_of(line(kind, payload, **fields))


def pairs(fields):
    return {field.name: field.text for field in fields}


def test_a_call_of_a_local_server_and_its_result_are_one_row():
    call = {
        "tool_name": "add_anchor",
        "arguments": {"type": "FACT", "text": "Stripe signs"},
        "timestamp": 1795304338683,
    }
    result = {"tool_name": "add_anchor", "success": True, "timestamp": 1795304338775,
              "result": {"content": [{"type": "text", "text": "Added FACT"}]}}  # fmt: skip
    (entry,) = entries([line("tool_call", call), line("tool_result", result)])
    assert (entry.title, entry.gist, entry.status) == ("add_anchor", "Stripe signs", "ok")
    assert pairs(entry.fields) == {"type": "FACT", "text": "Stripe signs"}
    assert entry.output == "Added FACT"
    assert entry.took == timedelta(milliseconds=92)


def test_a_call_of_a_coding_agent_and_its_result_are_one_row():
    call = {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "npm test\n-- -x"}}
    result = {
        "tool_name": "Bash",
        "tool_use_id": "t1",
        "tool_response": {"stdout": "ok\nfine", "interrupted": False},
    }
    (entry,) = entries([line("tool_call", call), line("tool_result", result, seconds=4)])
    assert entry.gist == "npm test -- -x"
    assert pairs(entry.output_fields) == {"stdout": "ok\nfine", "interrupted": "no"}
    assert entry.took == timedelta(seconds=4)


def test_one_event_may_hold_call_and_answer():
    entry = shown(
        "tool_call",
        {"tool_name": "Read", "tool_input": {"file_path": "a.py"}, "tool_response": "text"},
    )
    assert (entry.status, entry.output) == ("ok", "text")


def test_failures_are_marked():
    failed = {"tool_name": "t", "success": False, "error": "exit 1"}
    (entry,) = entries([line("tool_call", {"tool_name": "t"}), line("tool_result", failed)])
    assert entry.error
    assert (entry.status, entry.output) == ("failed", "exit 1")
    flagged = {"tool_name": "t", "success": True, "result": {"isError": True, "content": []}}
    assert shown("tool_result", flagged).status == "failed"
    assert shown("error", {"message": "no", "content": "no"}).error
    assert shown("note", {"text": "x"}, error=True).error


def test_a_call_without_a_result_says_so():
    assert shown("tool_call", {"tool_name": "close_frame", "arguments": {}}).status == "unanswered"


def test_what_a_tool_answers_in_json_is_folded():
    text = json.dumps({"tasks": [1, 2]})
    entry = shown(
        "tool_result", {"tool_name": "t", "result": {"content": [{"type": "text", "text": text}]}}
    )
    assert json.loads(entry.output_json) == {"tasks": [1, 2]}
    assert not entry.output


def test_the_same_text_twice_is_said_once():
    entry = shown(
        "observation", {"message": "schema has 3 tables", "content": "schema has 3 tables"}
    )
    assert (entry.text, entry.fields) == ("schema has 3 tables", [])


def test_frames_begin_and_end_in_words():
    began = shown(
        "user_message",
        {"action": "start_frame", "name": "Verify", "type": "task", "constraints": ["a", "b"]},
    )
    assert (began.label, began.title, began.gist) == ("User", "started the frame", "Verify")
    assert pairs(began.fields) == {"type": "task", "constraints": "a, b"}
    ended = shown(
        "assistant_message",
        {"action": "close_frame", "result": "Fixed", "outputs": {"tests": "12"}},
    )
    assert (ended.title, ended.text) == ("closed the frame", "Fixed")


def test_an_anchor_in_the_timeline_has_type_and_priority():
    entry = shown(
        "decision", {"anchor_type": "RISK", "text": "Keys rotate", "priority": 9, "anchor_id": "x"}
    )
    assert (entry.anchor_type, entry.text, entry.priority) == ("RISK", "Keys rotate", 9)
    assert entry.fields == []


def test_unknown_types_are_keys_and_values():
    entry = shown("pre_compact", {"trigger": "auto", "tokens": {"before": 2}})
    assert (entry.label, entry.kind) == ("Pre compact", "other")
    assert pairs(entry.fields)["trigger"] == "auto"


def test_payloads_that_are_no_objects_are_text():
    assert shown("observation", "just words").text == "just words"
    assert shown("observation", "[1, 2]").text == "[1, 2]"
    assert shown("tool_result", "null").status == "ok"
    assert shown("tool_call", '"x"').title == "unnamed tool"


def test_a_long_text_is_cut_and_can_be_had_whole():
    long = line("assistant_message", {"content": "word " * 3000})
    assert entry_of(long).cut
    whole = entry_of(long, limits=WHOLE)
    assert not whole.cut
    assert whole.text == "word " * 3000
