"""Secrets that are known by the name they are given: `PASSWORD=…`, `"api_key": "…"`.

The name says how much to believe. What a password's name is given is taken unless it is plainly a
blank, a reference, code or a label; what a token's or key's name is given must also look random.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

from frames.redaction.judging import ENOUGH, is_code, is_mixed, is_wordy, placeholder
from frames.redaction.splice import Span

PASSWORD = r"passw(?:or)?d|passphrase|passcode|pwd|_pass|(?:^|[^a-z])pass"
NAMED = (
    r"(?:api|app|access|account|auth|client|consumer|encryption|hmac|jwt|license|master|private|secret"
    r"|service|session|shared|signing|storage|subscription|webhook)[_.-]?(?:key|secret)(?:[_-]?base)?"
    r"|(?:auth|access|refresh|bearer|id|api|bot|csrf|xsrf|user|session|deploy|personal)[_.-]?token"
    r"|client[_-]?secret|credentials?|secret|token|_auth|dsn[_-]?secret"
)
NAME = rf"[A-Za-z0-9_.$-]*?(?:{PASSWORD}|{NAMED})(?:[_-]?(?:prod|production|dev|development|staging|test|live|old|new|[0-9]{{1,2}}))?"
# After a name: its closing quote or bracket, a type, and the sign that gives it a value.
SIGN = r"\\*[\"'`]?\]?\s*(?::\s*[A-Za-z_][A-Za-z0-9_|\[\]. ]{0,60}\s*)?(?:=>|:=|\?=|=|:)"
TRIGGER = r"(?:passw(?:or)?d|passphrase|passcode|pwd|pass|key|key[_-]?base|secret|token|credentials?|_auth)[_-]?[a-z0-9]*\\*[\"'`]?\]?\s*[:=?]"
PATTERN = re2.compile(rf"(?i)({NAME}){SIGN}")
KIND_PASSWORD = re.compile(rb"passw(?:or)?d|passphrase|passcode|pwd|pass", re.IGNORECASE)

OPENING = re.compile(rb"[ \t]*(?:[bruf]{1,2}(?=\\*[\"']))?(\\*)([\"'`])")
# An unquoted value ends where a shell, YAML, JSON or a sentence would end it …
BARE = re.compile(rb"[ \t]*([^\s\"'`\\,;)\]}<>&|(\[{][^\s\"'`\\,;)\]}<>&|]{0,800})")
# … but a line of an .env file only at its end.
ENV_VALUE = re.compile(rb"([^\s\"'`\\<>]{1,800})")
ENV_NAME = re.compile(rb"[A-Z][A-Z0-9_]*")
LONGEST = 2_000
LABEL = re.compile(rb"^(?:[A-Z][a-z]+[ ?!:.]?)+$|^[^ -~]|[\x80-\xff]")
SAID = re.compile(
    rb"(?i)\b(?:your|the|a|an|enter|please|is|are|must|should|not|of|to|for|and|or|password|passwords|invalid|"
    rb"incorrect|forgot|forgotten|wrong|new|reset|confirm|current)\b"
)
# Names that hold tokens nobody keeps secret, and names of messages about passwords.
HARMLESS = re.compile(
    rb"(?i)(?:page|next|prev|cont|continuation|cursor|cancel|cancellation|stop|eos|bos|pad|cls|sep|unk|mask|special"
    rb"|design|sync|resume|lexer|ast|symbol|start|end|current|last|first|image|audio|video)[_.-]?token$"
)
MESSAGE = re.compile(
    rb"(?i)(?:reset|forgot|forgotten|change|invalid|bad|wrong|missing|show|hide|confirm|enter|update|no|has|is|set|get|"
    rb"verify|check|hash|require|requires|weak|lost)[_-]?(?:your[_-]?)?(?:password|passwd|token|secret|credentials?)"
)


def find(data: bytes) -> Iterator[Span]:
    """The values that are secrets."""
    for match in PATTERN.finditer(data):
        start, end = match.span(1)
        name = data[start:end]
        if start and data[start - 1 : start] == b"\\" and name[:1] in b"nrtbf":
            name = name[1:]  # the end of an escape
        value = _value(data, name, match.end())
        if value is None:
            continue
        at, till, quoted = value
        beginning = data[at : min(till, at + ENOUGH)]
        if _is_secret(name, beginning, quoted, env=_is_env(data, name, match.end(), at)):
            kind = "password" if KIND_PASSWORD.search(name) else "secret"
            yield Span(at, till, kind, rank=40)


def _is_env(data: bytes, name: bytes, sign_end: int, at: int) -> bool:
    """`NAME=value`, as in an .env file, a shell or a Dockerfile."""
    return (
        ENV_NAME.fullmatch(name) is not None
        and data[sign_end - 1 : sign_end] == b"="
        and (at == sign_end or data[sign_end:at].strip(b"\\\"'") == b"")
    )


def _value(data: bytes, name: bytes, after: int) -> tuple[int, int, bool] | None:
    """Start and end of what the name is given, and whether it is in quotes."""
    if opening := OPENING.match(data, after):
        start = opening.end()
        end = _closing(data, start, len(opening[1]), opening[2])
        return (start, end, True) if end > start else None
    if ENV_NAME.fullmatch(name) and data[after - 1 : after] == b"=":
        bare = ENV_VALUE.match(data, after)
    else:
        bare = BARE.match(data, after)
    if bare is None:
        return None
    start, end = bare.span(1)
    while end > start and data[end - 1 : end] in (b".", b",", b";"):
        end -= 1
    return (start, end, False) if end > start else None


def _closing(data: bytes, start: int, level: int, quote: bytes) -> int:
    """Where the quoted text that begins at `start` ends.

    `level` is the number of backslashes before its opening quote: the closing one has as many, one
    with more is inside, one with fewer closes something around it. A text that was cut off ends
    where it was cut.
    """
    limit, at = min(len(data), start + LONGEST), start
    while (at := data.find(quote, at, limit)) >= 0:
        slashes = at
        while slashes > start and data[slashes - 1 : slashes] == b"\\":
            slashes -= 1
        if at - slashes <= level:
            return slashes
        at += 1
    around = data.find(b'"', start, limit)
    end = around if around >= 0 else limit
    while end > start and data[end - 1 : end] == b"\\":
        end -= 1
    return end


def _is_secret(name: bytes, value: bytes, quoted: bool, *, env: bool) -> bool:
    if len(value) < 4 or placeholder(value) or HARMLESS.search(name):
        return False
    if is_code(value) and not (quoted or env):
        return False
    if KIND_PASSWORD.search(name) is None:
        return _is_random(value, quoted=quoted, env=env)
    if env and not quoted:
        return True
    if b" " in value:
        return _is_passphrase(value)
    if not quoted:
        return len(value) >= 6 and (is_mixed(value) or value.isdigit()) and not _is_name(value)
    if is_mixed(value) or not value.isalpha():
        return not (MESSAGE.search(name) and is_wordy(value)) and not is_code(value)
    return not (LABEL.search(value) or MESSAGE.search(name) or SAID.search(value))


def _is_random(value: bytes, *, quoted: bool, env: bool) -> bool:
    if b" " in value or len(value) < 8:
        return False
    if not is_mixed(value):
        # letters alone: only long ones in both cases
        return len(value) >= 24 and not is_wordy(value) and value.lower() != value
    enough = 8 if quoted or env else 12
    return len(value) >= enough and not is_wordy(value) and not (is_code(value) and not env)


def _is_passphrase(value: bytes) -> bool:
    if SAID.search(value) or LABEL.search(value):
        return False
    return is_mixed(value) or len(value.split()) >= 4


def _is_name(value: bytes) -> bool:
    """`password: sha256sum`, `password=pw1`: what code and prose give, not people."""
    return (
        len(value) < 8
        and is_wordy(value)
        and value.lower() == value
        and value[-2:-1].isalpha() is False
    )
