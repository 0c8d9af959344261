"""Statements that travel with the next one: in their order, in their transaction, or not at all."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction

from stackmemory.lib.along import carry_out

pytestmark = [pytest.mark.postgresql_only, pytest.mark.django_db(transaction=True)]
ADD = "INSERT INTO carried VALUES (%s)"


@pytest.fixture(autouse=True)
def table():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE carried (word text PRIMARY KEY)")
        yield
        cursor.execute("DROP TABLE carried")


def words() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT word FROM carried ORDER BY word")
        return [word for (word,) in cursor.fetchall()]


def idle() -> bool:
    return connection.connection.pgconn.transaction_status == 0


def test_they_are_carried_out_before_what_is_asked_next():
    with transaction.atomic():
        carry_out(ADD, ["it's 100%"])
        assert idle(), "nothing was sent yet"
        assert words() == ["it's 100%"], "the answer is the second statement's"
        assert not idle()
        carry_out(ADD, ["a"])
        with connection.cursor() as cursor:
            cursor.executemany("UPDATE carried SET word = word || %s", [["b"], ["c"]])
        carry_out(ADD, ["d"])
        with connection.cursor() as cursor:
            with cursor.copy("COPY carried FROM STDIN") as copy:
                copy.write("e\n")
            cursor.execute("SELECT 1 WHERE '100%' LIKE '%'")  # no parameters: not a percent more
            assert cursor.fetchone() == (1,)
    assert words() == ["abc", "d", "e", "it's 100%bc"]


def test_they_go_with_the_commit_if_nothing_is_asked():
    with transaction.atomic():
        carry_out(ADD, ["a"])
        carry_out(ADD, ["b"])
        assert idle()
    assert idle()
    assert words() == ["a", "b"]


def test_a_transaction_in_which_nothing_was_done_is_not_sent(monkeypatch):
    sent = []
    monkeypatch.setattr(connection, "cursor", lambda *given: sent.append(given))
    with transaction.atomic():
        assert idle()
    assert idle()
    assert not sent


def test_outside_of_a_transaction_they_are_carried_out_at_once():
    carry_out(ADD, ["a"])
    assert words() == ["a"]


class Undone(Exception):
    pass


def add(*several: str, then: type[Exception] | None = None) -> None:
    """All of them in one transaction or savepoint, which this failure undoes."""
    with transaction.atomic():
        for word in several:
            carry_out(ADD, [word])
        if then:
            raise then


def test_what_is_undone_takes_them_along():
    with pytest.raises(Undone):
        add("a", then=Undone)
    assert idle()
    with transaction.atomic():
        carry_out(ADD, ["b"])
        with pytest.raises(Undone):
            add("c", then=Undone)
        carry_out(ADD, ["d"])
    assert words() == ["b", "d"]


def test_what_they_do_wrong_is_told_by_the_commit_and_undoes_the_transaction():
    with pytest.raises(DatabaseError):
        add("a", "b", "b")
    assert idle()
    assert words() == []


def test_in_a_savepoint_the_wrong_is_told_at_its_end_and_the_rest_goes_on():
    with transaction.atomic():
        add("a")
        with pytest.raises(DatabaseError):
            add("a")
        add("b")
    assert words() == ["a", "b"]


def test_one_row_is_asked_for_without_a_cursor():
    assert connection.ask("SELECT 1, NULL, 'é'") == ("1", "", "é")
    assert connection.ask("SELECT 1 WHERE false") is None
    with transaction.atomic():
        carry_out(ADD, ["a"])
        assert connection.ask("SELECT count(*) FROM carried") == ("1",), "after what was held back"
        with pytest.raises(ProgrammingError):
            connection.ask("SELECT nothing")
        connection.set_rollback(True)
    assert words() == []
