"""How queries are understood: plain words, modifiers, templates, JSON, and what cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from search.query import Person, Who, parse

NOW = datetime(2026, 11, 18, 15, 30, tzinfo=UTC)  # a Wednesday
ALICE = Person(UUID(int=1), "Alice Moreau", "alice@example.com")
BOB = Person(UUID(int=2), "Bob", "bob@example.com")
WHO = Who(NOW, ALICE, (ALICE, BOB), ("shop", "till"))


def day(month, number):
    return datetime(2026, month, number, tzinfo=UTC)


def read(given):
    query = parse(given, WHO)
    assert not query.problems, query.problems
    return query


def test_whose_what_and_when_in_plain_words():
    query = read("alice's auth work from last week")
    assert (query.text, query.people) == ("auth", [ALICE])
    assert (query.since, query.until) == (day(11, 9), day(11, 16))
    assert query.soft == {"people", "time"}


def test_a_question_about_decisions_prefers_them():
    query = read("what did we decide about caching")
    assert query.text == "what did we decide about caching"
    assert query.prefer == ["decision"]
    assert not query.is_filtered


@pytest.mark.parametrize(
    "text",
    [
        "how do webhook retries back off?", "When did Melanie paint a sunrise?",
        "error in today's deployment of v2.0", "What is Caroline's relationship status?",
        "why was the last week of May so quiet", "C++ templates", "a + b : c", "x +y z",
        "cannot read property 'id' of undefined", "GET /api/v1/search?q=a&b=c 404",
    ],
)  # fmt: skip
def test_plain_questions_stay_as_they_are(text):
    query = read(text)
    assert query.text == text
    assert not query.is_filtered


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("today", day(11, 18), None),
        ("yesterday", day(11, 17), day(11, 18)),
        ("this week", day(11, 16), None),
        ("last week", day(11, 9), day(11, 16)),
        ("this month", day(11, 1), None),
        ("last month", day(10, 1), day(11, 1)),
        ("last 3 days", NOW - timedelta(days=3), None),
        ("past 2 weeks", NOW - timedelta(days=14), None),
        ("recent", NOW - timedelta(hours=4), None),
        ("since 2026-11-01", day(11, 1), None),
        ("before Nov 3", None, day(11, 3)),
        ("between 2026-11-01 and Nov 5", day(11, 1), day(11, 6)),
        ("on Dec 15", datetime(2025, 12, 15, tzinfo=UTC), datetime(2025, 12, 16, tzinfo=UTC)),
    ],
)
def test_times(text, since, until):
    query = read(text)
    assert (query.text, query.since, query.until) == ("", since, until)


def test_modifiers_hold_and_may_repeat():
    query = read(
        "timeout +owner:alice +owner:@bob +last:7d +type:decision +file:*.py +status:active"
        " +priority:high +sort:time +limit:20 +format:ids +project:shop"
    )
    assert (query.text, query.people, query.types) == ("timeout", [ALICE, BOB], ["decision"])
    assert (query.since, query.files, query.is_open) == (NOW - timedelta(days=7), ["*.py"], True)
    assert (query.least, query.sort, query.limit, query.format) == (0.7, "time", 20, "ids")
    assert (query.projects, query.soft) == (["shop"], set())


def test_a_modifier_beats_plain_words():
    query = read("auth work yesterday +last:30d")
    assert (query.since, query.until) == (NOW - timedelta(days=30), None)


@pytest.mark.parametrize(
    ("text", "types", "kinds"),
    [
        ("bugs", ["bug", "debug", "bugfix", "fix", "error"], []),
        ("decisions", ["decision"], []),
        ("tasks", [], ["task"]),
        ("my decisions", ["decision"], []),
    ],
)
def test_shortcuts(text, types, kinds):
    query = read(text)
    assert (query.text, query.types, query.kinds) == ("", types, kinds)


def test_my_work_and_names():
    assert read("my work").people == [ALICE]
    assert read("@bob").people == [BOB]
    assert read("messages by bob").people == [BOB]
    assert read("carol's cat").people == []
    assert read("carol's cat").text == "carol's cat"


def test_templates():
    standup = read("standup for @alice")
    assert (standup.people, standup.since) == ([ALICE], NOW - timedelta(days=1))
    assert (standup.sort, standup.text) == ("time", "")
    errors = read("investigate errors in billing")
    assert errors.text.startswith("billing error")
    assert errors.since == NOW - timedelta(hours=48)
    assert read("code review for search.py").files == ["search.py"]
    assert read("progress on checkout feature").text == "checkout"
    retrospective = read("retrospective for last sprint")
    assert (retrospective.since, retrospective.group) == (NOW - timedelta(days=14), "owner")
    assert "secret" in read("security audit").text
    assert read("deployment readiness for api").text.startswith("api deploy")
    assert read("performance issues for search").since == NOW - timedelta(days=7)


def test_structured_queries_mean_what_modifiers_mean():
    given = {
        "time": {"last": "7d"},
        "content": {"topic": ["auth"], "files": ["*.py"], "keywords": ["token"]},
        "frame": {"type": ["decision"], "status": "open", "score": {"min": 0.5}},
        "people": {"owner": ["alice"]},
        "output": {"limit": 5, "sort": "score", "format": "full", "groupBy": "owner"},
    }
    query = read(given)
    assert query.text == "auth authentication login oauth token"
    assert (query.since, query.files, query.types) == (NOW - timedelta(days=7), ["*.py"], ["decision"])  # fmt: skip
    assert (query.is_open, query.least, query.people) == (True, 0.5, [ALICE])
    assert (query.limit, query.sort, query.format, query.group) == (5, "score", "full", "owner")
    assert read('{"text": "auth"}').text == "auth"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("+ownr:alice", "did you mean +owner:"),
        ("+owner:carol x", "Nobody here is called “carol”. Here are Alice Moreau, Bob"),
        ("+project:nowhere", "There are shop, till"),
        ("+last:soon", "3h, 2d, 1w or 1m"),
        ("+since:31.12.", "2026-01-31"),
        ("+limit:0", "from 1 to 100"),
        ("+limit:²", "from 1 to 100"),
        ("+sort:colour", "relevance, time, score"),
        ("+status:tired", "none of active"),
        ("+priority:huge", "critical, urgent, high"),
        ("+type:", "no value"),
        ("+since:2026-11-10 +until:2026-11-01", "ends before it begins"),
        ({"tiem": {}}, "There is no “tiem”"),
        ({"time": {"lsat": "7d"}}, "There is no “time.lsat”"),
        ({"time": 7}, "has to be an object"),
        ({"frame": {"score": {"min": "high"}}}, "has to be a number"),
    ],
)
def test_an_impossible_query_says_what_is_wrong(given, words):
    assert words in " ".join(parse(given, WHO).problems)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\x00", "+", "+:", "{", "{]", "[" * 5000, '{"a":' * 2000, "+file:" + "*" * 50, "@", "@@",
     "between 2026-99-99 and 2026-01-01", "since 0001-01-01", "last 9999 months", "“", '"', "+last:9999m",
     "a" * 100_000, "my " * 900, "alice's " * 300, "\ud800"],
)  # fmt: skip
def test_anything_at_all_is_read_in_bounded_time(text):
    query = parse(text, WHO)
    assert len(query.text) <= 2_000


def test_understanding_is_told_and_repeats():
    first, second = parse("bob's caching work last week", WHO), parse("bob's caching work last week", WHO)  # fmt: skip
    assert first == second
    assert first.understood == ["time: last week", "person: Bob"]
    assert "bob's caching work last week +type:decision" in first.suggestions
