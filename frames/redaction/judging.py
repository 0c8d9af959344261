"""Whether a text in a secret's place is one, or a placeholder, a reference, code or a label."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import re2

LETTER = re.compile(rb"[A-Za-z]")
LOWER, UPPER, DIGIT = re.compile(rb"[a-z]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]")
MARKER = b"[redacted:"
# A longer value is judged by its beginning, so that judging takes bounded time.
ENOUGH = 200

# What stands where a secret would. Words first, then forms.
BLANKS = (
    "none null nil undefined true false yes no str string text bool boolean int integer number object any bytes"
    " required optional hidden masked empty default example sample secret secrets token password passwd pass"
    " passphrase pwd key api_key api-key apikey value credential credentials username user changeme change_it"
    " changeit foo bar foobar baz dummy fake mock test testing tbd todo fixme n/a unset unknown invalid redacted"
    " removed omitted secretstr varchar char uuid hex base64 basic bearer oauth oauth2 jwt hash sha256 bcrypt"
    " argon2 argon2id input prompt stdin env file vault"
)
FORMS = (
    r"[*x.\-_\xe2\x80\xa2\xa6]+",  # ****, xxxx, …, bullets
    r"<[^<>]*>|[\[{(].*|#\{.*|&\w+;.*",  # <key>, [key], {key}, {{ key }}, #{key}
    r"\$[A-Za-z_]\w*(?:(?:->|::|[.\[(:/]).*)?|\$[0-9({].*",  # $KEY, ${KEY}, $(command), $1
    r"%[A-Za-z_]\w*%|%[(s].*|@\w+\(.*|:[a-z]\w*",  # %KEY%, %(key)s, @Value(…), :key
    r".*(?:your[_\- ]|[_\- ]here\b|placeholder|change[_\- ]?me|replace[_\- ]?(?:me|with|this)|insert[_\- ]"
    r"|redacted|x{5,}|\*{4,}|\.\.\.|\xe2\x80\xa6|example\.(?:com|org)).*",
    # references to where the secret really is
    r"(?:process\.env|import\.meta|os\.(?:environ|getenv)|getenv|env[.\[(:]|environ\b|config[.\[(]|settings[.\[(]"
    r"|secrets?[.\[(]|vault:|op://|sm://|ref\+|arn:aws|projects/|keyring|self\.|this\.|args?\.|opts?\.|options\."
    r"|props\.|req(?:uest)?\.|res(?:ponse)?\.|ctx\.|params\.|data\.|std::|await\b|new\b|lambda\b|function\b).*",
    r"[~.]{0,2}/(?:[\w.@+-]+/)*[\w.@+-]*|[A-Za-z]:[\\/].*|https?://.*",  # paths and addresses
    r"[a-z_]+(?::[\w,]+)?(?:\|[a-z_]+(?::[\w,]+)?)+",  # required|min:8
)


def _placeholder() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # a value may be cut off within a character
    options.case_sensitive = False
    options.dot_nl = True
    words = "|".join(re.escape(word) for word in BLANKS.split())
    return re2.compile("|".join((words, *FORMS)).encode("ascii"), options)


PLACEHOLDER = _placeholder()
PATH_LIKE_SECRET = re.compile(rb"^/?[A-Za-z0-9+/]{38,}={0,2}$")
IDENTIFIER = re.compile(rb"^[A-Za-z_$][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)+$")
WORD = re.compile(rb"^(?:[a-z]+|[A-Z][a-z]+|[A-Z]+)[0-9]{0,2}$|^v?[0-9]{1,4}$")
CAMEL = re.compile(rb"(?<=[a-z])(?=[A-Z])")
SEPARATORS = re.compile(rb"[-_./: ]+")


def placeholder(value: bytes) -> bool:
    """A blank, a reference, a type, a path: anything but the thing itself."""
    if MARKER in value:
        return True
    if len(set(value[: max(3, len(value) - 4)])) == 1:
        return True  # 0000, aaaaaa1
    return PLACEHOLDER.fullmatch(value) is not None and not (
        PATH_LIKE_SECRET.match(value) and is_mixed(value)
    )


def is_mixed(value: bytes) -> bool:
    """Letters and digits together, as in nearly everything made at random."""
    return bool(LETTER.search(value) and DIGIT.search(value))


def is_wordy(value: bytes) -> bool:
    """Made of words, with a number here and there: a name, not something random."""
    parts = [part for part in SEPARATORS.split(value) if part]
    pieces = [piece for part in parts for piece in CAMEL.split(part)]
    return all(WORD.match(piece) for piece in pieces)


def is_code(value: bytes) -> bool:
    return IDENTIFIER.match(value) is not None or any(mark in value for mark in (b"(", b"[", b"{"))


def has_digit(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    return DIGIT.search(value) is not None and not placeholder(value)


def mixed(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    """Random enough for a place where ordinary words are common."""
    return is_mixed(value) and not placeholder(value) and not is_wordy(value)


def mixed_case(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    return (
        LOWER.search(value) is not None
        and UPPER.search(value) is not None
        and not is_wordy(value)
        and not placeholder(value)
    )


def spoken(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    """A place that holds nothing but passwords: all but blanks and references are taken."""
    if value.lower() in (b"password", b"pass", b"passwd", b"secret", b"test"):
        return True  # in a URL even these may be in use
    return not placeholder(value)


def credential(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    """What follows “Authorization:” and its scheme."""
    return not placeholder(value) and not is_code(value) and is_mixed(value)


def cookie(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    values = [pair.partition(b"=")[2] for pair in value.split(b";")]
    return any(len(v) >= 6 and not placeholder(v) and not is_code(v) for v in values[:1]) or any(
        is_mixed(v) and len(v) >= 16 for v in values
    )


def query_value(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    return mixed(value) and len(value) >= 8 and not is_code(value)


def command_value(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    """A password on a command line. `-u` is a password's place only where curl and its like run."""
    if placeholder(value) or is_code(value):
        return False
    before = text[max(0, start - 300) : start]
    if before.rstrip(b"\\\"'").endswith(b":"):
        return re.search(rb"\b(?:curl|wget|http|https|xh)\s", before) is not None
    if re.search(rb"-p\s*$", before) or before.endswith(b"-p"):
        return True
    return is_mixed(value) and (not is_wordy(value) or b"password" in before[-16:])


def has_key_body(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    """A key between its lines, rather than talk about such lines."""
    return re.search(rb"[A-Za-z0-9+/]{20,}", value) is not None


def decodes_to_pair(value: bytes, text: bytes = b"", start: int = 0) -> bool:
    """Whether base64 holds `user:password`."""
    try:
        plain = base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return False
    _user, colon, password = plain.partition(b":")
    return bool(colon and password) and plain.isascii() and plain.decode("ascii").isprintable()
