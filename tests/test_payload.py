"""Payloads are read as far as they can be, whatever is in them."""

import json

import pytest

from frames.payload import PREVIEW, clean, closed, field_of, fields, parse, words


def test_a_payload_cut_anywhere_is_read_up_to_there():
    whole = {
        "tool_name": "Bash",
        "input": {"command": 'echo "C:\\\\temp" ✓ 😀', "n": -12.5e3, "ok": True},
        "lines": ["one", {"two": [1, 22, None]}, "three, {four}: [five]"],
    }
    text = json.dumps(whole)
    for length in range(1, len(text)):
        read = json.loads(closed(text[:length]))
        assert set(read) <= set(whole), text[:length]
    assert json.loads(closed(text)) == whole


def test_the_words_before_the_cut_are_kept():
    text = json.dumps({"content": "a long story " * 100})[:60]
    assert parse(text, cut=True) == {"content": ("a long story " * 100)[: 60 - 13]}


@pytest.mark.parametrize(
    "text", ["", "not json", "[" * 5000, '{"a": ', "NaN,", "1" * 5000, '"\\u00']
)
def test_what_is_no_json_is_text(text):
    assert parse(text) == text
    assert isinstance(parse(text, cut=True), str | list | dict | float)


def test_terminal_codes_and_half_characters_do_not_reach_a_page():
    assert (
        clean("\x1b[32mPASS\x1b[0m \x1b]0;title\x07ok\ud800\x00\ttab\n")
        == "PASS ok\ufffd\ufffd\ttab\n"
    )
    clean("\ud800").encode()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ({"message": "m", "content": "m"}, "m"),
        ({"content": [{"type": "text", "text": "deep"}]}, "deep"),
        ({"nothing": 1}, ""),
        (None, ""),
    ],
)
def test_words_are_found_where_agents_put_them(value, said):
    assert words(value) == said


def test_fields_say_what_kind_they_are():
    kinds = {
        f.name: (f.kind, f.text)
        for f in fields(
            {
                "line": "short",
                "text": "two\nlines",
                "nested": {"a": 1},
                "inner": '{"b": [1, 2]}',
                "few": ["a", "b"],
                "flag": False,
                "empty": "",
            },
            PREVIEW,
        )
    }
    assert kinds["line"] == ("line", "short")
    assert kinds["text"] == ("text", "two\nlines")
    assert kinds["nested"] == ("json", '{\n  "a": 1\n}')
    assert kinds["inner"][0] == "json"
    assert kinds["few"] == ("line", "a, b")
    assert kinds["flag"] == ("line", "no")
    assert "empty" not in kinds


def test_a_huge_field_is_cut_and_says_so():
    field = field_of("body", "x" * 50_000, PREVIEW)
    assert field.cut
    assert len(field.text) == PREVIEW.field
    many = fields({str(n): n for n in range(1, 100)}, PREVIEW)
    assert many[-1].text == f"{99 - PREVIEW.fields} more"
