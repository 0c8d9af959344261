"""Everyday work: each ticket becomes a session the way such a ticket usually goes."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

from frames.sample import script
from frames.sample.parse import PIN, moments, pin_of
from frames.sample.phrases import DEEPER, DOUBTS, LOOKS, PLANS, SELF_REVIEW, SLIPS
from frames.sample.script import Pin, Step, Story, Work, frame
from frames.sample.snippets import LOGS, excerpt, fill, references


@dataclass(frozen=True)
class Ticket:
    project: str
    who: str
    client: str
    when: dict[str, float]
    title: str
    ask: str
    cause: str
    fix: str
    files: tuple[tuple[str, str], ...]
    test: str
    old: str
    new: str
    pin: Pin


def tickets(text: str) -> list[Ticket]:
    return [_ticket(part) for part in re.split(r"^ticket ", text, flags=re.MULTILINE)[1:]]


def _ticket(text: str) -> Ticket:
    head, *lines = text.rstrip().split("\n")
    where, _, title = head.partition(" | ")
    project, who, client, *when = where.split()
    said = dict(line.split(": ", 1) for line in lines)
    found = PIN.fullmatch(said["pin"])
    if found is None:
        raise ValueError(said["pin"])
    return Ticket(
        project, who, client, moments(when), title,
        ask=said["ask"], cause=said["cause"], fix=said["fix"], test=said["test"],
        files=tuple(tuple(file.split(":")) for file in said["files"].split()),  # type: ignore[misc]
        old=said["old"], new=said["new"].replace("\\n", "\n"), pin=pin_of(*found.groups()),
    )  # fmt: skip


def story_of(ticket: Ticket, number: int, dice: random.Random) -> Story:
    return Everyday(ticket, number, dice).story()


class Everyday:
    def __init__(self, ticket: Ticket, number: int, dice: random.Random) -> None:
        self.ticket, self.number, self.dice = ticket, number, dice

    def story(self) -> Story:
        ticket, dice = self.ticket, self.dice
        steps: list[Any] = [script.ask(ticket.ask), script.say(dice.choice(PLANS)), self.look()]
        pins = [ticket.pin]
        if ticket.pin.type == "FACT":
            steps.append(pins.pop())
        steps += [self.change(), *pins]
        if dice.random() < 0.55:
            steps.append(self.second_look())
        if dice.random() < 0.6:
            steps.append(self.tell_others())
        request = 1240 + self.number * 7
        steps.append(script.say(f"{ticket.fix} PR {request} is up."))
        root = frame(
            "debug" if re.search(r"\b(lose|wrong|off|fails|error|500)\b", ticket.ask) else "task",
            ticket.title,
            *steps,
            digest=ticket.fix,
            inputs={"goal": ticket.title},
            outputs={"pull_request": request},
        )
        branch = "-".join(re.findall(r"[a-z0-9]+", ticket.title.lower())[:4])
        return script.story(
            ticket.project, ticket.who, ticket.client, f"fix/{branch}", root, **ticket.when
        )  # fmt: skip

    def look(self) -> Work:
        steps: list[Step] = []
        for path, name in self.ticket.files:
            steps.append(script.grep(name, references(path, name, self.dice)))
            steps.append(script.read(path, excerpt(path, name, self.dice)))
            if self.dice.random() < 0.7:
                steps.append(script.say(self.dice.choice(DOUBTS)))
            for _ in range(self.dice.randrange(3, 8)):
                steps.append(self.another_file(path, name))
        path, name = self.ticket.files[0]
        log = fill(self.dice.choice(LOGS), name=name, path=path)
        steps.append(script.run(f"git log --oneline -3 -- {path}", log))
        steps.append(script.say(self.ticket.cause))
        return frame("review", self.dice.choice(LOOKS), *steps, digest=self.ticket.cause)

    def another_file(self, path: str, name: str) -> Step:
        folder, _, file = path.rpartition("/")
        suffix = file.rpartition(".")[2]
        other = (
            f"{folder}/{self.dice.choice(('base', 'types', 'index', 'rules', 'state'))}.{suffix}"
        )
        if self.dice.random() < 0.4:
            return script.grep(
                self.dice.choice(("TODO", name, "deprecated")), references(other, name, self.dice)
            )
        return script.read(other, excerpt(other, name, self.dice))

    def change(self) -> Work:
        (path, name), dice = self.ticket.files[0], self.dice
        steps: list[Any] = [
            script.say("A test first, so that it can fail."),
            script.write(self.test_file, excerpt(path, name, dice)),
            self.check(1, failing=1),
            script.edit(path, self.ticket.old, self.ticket.new),
        ]
        for other, symbol in self.ticket.files[1:]:
            steps.append(script.read(other, excerpt(other, symbol, dice)))
            if dice.random() < 0.25:
                steps.append(script.edit_missed(other, f"{symbol}(", f"{symbol}(*, "))
                steps.append(script.read(other, excerpt(other, symbol, dice)))
            steps.append(script.edit(other, *self.small_change(symbol)))
        if dice.random() < 0.8:
            steps.append(self.other_places())
        if dice.random() < 0.7:
            steps.append(self.slip(depth=0))
        steps += [self.check(dice.randrange(3, 9)), self.suite()]
        return frame(
            "write", f"Change {name} in {path.rpartition('/')[2]}", *steps, digest=self.ticket.fix
        )

    def other_places(self) -> Work:
        dice, steps = self.dice, []
        path, name = self.ticket.files[-1]
        folder, _, file = path.rpartition("/")
        places = dice.sample(
            ("api", "views", "export", "jobs", "admin", "report"), dice.randrange(2, 5)
        )
        for place in places:
            other = f"{folder}/{place}.{file.rpartition('.')[2]}"
            steps += [
                script.read(other, excerpt(other, name, dice)),
                script.edit(other, *self.small_change(name)),
                self.check(dice.randrange(3, 9)),
            ]
        said = f"The same shape in {len(places)} other places: {', '.join(places)}."
        title = f"The same in {len(places)} other places"
        return frame("subtask", title, script.say(said), *steps, digest=said)

    def slip(self, depth: int) -> Work:
        dice = self.dice
        name, lesson = dice.choice(SLIPS)
        path, symbol = dice.choice(self.ticket.files)
        steps: list[Any] = [self.check(dice.randrange(4, 12), failing=dice.randrange(1, 3))]
        for _ in range(dice.randrange(3, 6)):
            steps.append(self.another_file(path, symbol))
        steps.append(script.say(dice.choice(DOUBTS)))
        if depth < 2 and dice.random() < 0.35:
            inner = self.slip(depth + 1)
            deeper = dice.choice(DEEPER)
            steps.append(frame("tool_scope", deeper, *inner.steps, digest=inner.digest))
        steps += [script.edit(path, *self.small_change(symbol)), self.check(dice.randrange(4, 12))]
        return frame("debug", name, *steps, digest=lesson)

    def second_look(self) -> Work:
        path, name = self.dice.choice(self.ticket.files)
        stat = "\n".join(f" {p} | {self.dice.randrange(3, 40)} +++--" for p, _ in self.ticket.files)
        steps: list[Any] = [script.run("git diff --stat main", stat), self.another_file(path, name)]
        if self.dice.random() < 0.5:
            steps.append(self.lint(failing=True))
            steps.append(script.edit(path, *self.small_change(name)))
        steps.append(self.lint(failing=False))
        said = self.dice.choice(SELF_REVIEW)
        return frame("review", "Read the change once more", *steps, script.say(said), digest=said)

    def tell_others(self) -> Work:
        steps = [
            script.read("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n### Fixed\n"),
            script.edit("CHANGELOG.md", "### Fixed\n", f"### Fixed\n\n- {self.ticket.fix}\n"),
            script.run("git push -u origin HEAD", "branch set up to track 'origin'."),
        ]
        return frame(
            "subtask", "Changelog and pull request", *steps, digest="Told in CHANGELOG.md."
        )

    # --- what tools print -------------------------------------------------------------------
    @property
    def test_file(self) -> str:
        return re.split(r"::| > ", self.ticket.test)[0]

    @property
    def runner(self) -> str:
        runners = {"dispatch-api": ".venv/bin/pytest -q", "dispatch-web": "npx vitest run"}
        return runners.get(self.ticket.project, "make test")

    def check(self, total: int, failing: int = 0) -> Step:
        command, seconds = f"{self.runner} {self.test_file}", self.dice.uniform(0.6, 9)
        good = f"{'.' * max(0, total - failing)}{'F' * failing}"
        if not failing:
            return script.run(
                command, f"{good} [100%]\n{total} passed in {seconds:.2f}s", took=seconds
            )
        line = self.dice.randrange(12, 160)
        expected, got = self.dice.sample((0, 1, 2, 3, 4, 9, 14, 404), 2)
        out = (
            f"{good} [100%]\nFAILED {self.ticket.test}\n>   assert {got} == {expected}\n"
            f"E   AssertionError: assert {got} == {expected}\n{self.test_file}:{line}: AssertionError\n"
            f"{failing} failed, {max(0, total - failing)} passed in {seconds:.2f}s"
        )
        return script.fails(command, out, took=seconds)

    def suite(self) -> Step:
        total, seconds = self.dice.randrange(220, 1240), self.dice.uniform(38, 130)
        return script.run(self.runner, f"{total} passed in {seconds:.2f}s", took=seconds)

    def lint(self, *, failing: bool) -> Step:
        path, name = self.ticket.files[0]
        if failing:
            return script.fails(
                "make lint",
                f"{path}:{self.dice.randrange(9, 90)}: {name} is defined but never used",
            )
        return script.run("make lint", "All checks passed!")

    def small_change(self, name: str) -> tuple[str, str]:
        return self.dice.choice(
            (
                (f"    return {name}(shop)", f"    return {name}(shop, now=now)"),
                (f"    rows = {name}()", f"    rows = list({name}())"),
                (f"# {name}", f"# {name}: newest first, see the ticket"),
                (f"if {name}:", f"if {name} is not None:"),
            )
        )
