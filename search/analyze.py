"""From text to the terms that are indexed and looked for: the same on both engines.

Neither PostgreSQL's parser nor FTS5's sees raw text, so a search gives the same on both. Words are
lower-cased and stemmed (English Snowball), stop words dropped; identifiers count whole and in parts
(`parseHTTPHeader`, `max_body_bytes`, `src/app/webhook.ts`); Chinese, Japanese and Korean go in by
pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

import Stemmer

# A document is found by its first terms; a megabyte of tool output says no more than its start.
MOST_TERMS = 2_000
LONGEST_TERM = 64

STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "done",
        "down",
        "for",
        "from",
        "further",
        "get",
        "got",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "herself",
        "him",
        "himself",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "let",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "myself",
        "no",
        "nor",
        "not",
        "now",
        "of",
        "off",
        "on",
        "once",
        "only",
        "or",
        "other",
        "our",
        "ours",
        "out",
        "over",
        "own",
        "same",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "theirs",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "under",
        "until",
        "up",
        "us",
        "very",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "yours",
        "yourself",
        "did",
        "d",
        "ll",
        "m",
        "re",
        "s",
        "t",
        "ve",
    ]
)
CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af"
# A run of CJK, or a word with the signs that join identifiers and paths.
TOKEN = re.compile(rf"[{CJK}]+|[^\W_](?:[^\s{CJK}]*[^\W_])?", re.UNICODE)
PARTS = re.compile(r"[^\W_]+", re.UNICODE)
CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_A-Za-z]+", re.UNICODE)
IS_CJK = re.compile(rf"[{CJK}]")

_stem = Stemmer.Stemmer("english")


def terms(text: str) -> list[str]:
    """The terms of a text in order, at most MOST_TERMS."""
    found: list[str] = []
    for match in TOKEN.finditer(unicodedata.normalize("NFKC", text)):
        found += terms_of(match[0])
        if len(found) >= MOST_TERMS:
            break
    return found[:MOST_TERMS]


def counted(text: str) -> Counter[str]:
    return Counter(terms(text))


def spelled(text: str) -> dict[str, str]:
    """Each term of a text and the word it came from."""
    found: dict[str, str] = {}
    for match in TOKEN.finditer(unicodedata.normalize("NFKC", text)):
        for term in terms_of(match[0]):
            found.setdefault(term, match[0] if not IS_CJK.match(match[0]) else term)
    return found


@lru_cache(maxsize=50_000)
def terms_of(token: str) -> tuple[str, ...]:
    if IS_CJK.match(token):
        pairs = [token[n : n + 2] for n in range(len(token) - 1)]
        return tuple(pairs or [token])
    words = PARTS.findall(token)
    found = []
    for word in words:
        plain = term_of(word)
        if plain:
            found.append(plain)
        humps = CAMEL.findall(word) if word.isascii() else ()
        if len(humps) > 1:
            found += [part for hump in humps if len(hump) > 1 and (part := term_of(hump))]
    if len(words) > 1 and len(token) <= LONGEST_TERM and not token.replace("'", "").isalpha():
        # the identifier or path as a whole, so that it can be found exactly
        found.append(re.sub(r"\W+", ".", token.lower()))
    return tuple(found)


def term_of(word: str) -> str:
    """One word as a term; empty for a stop word."""
    lowered = word.lower()
    if lowered in STOP_WORDS:
        return ""
    return str(_stem.stemWord(lowered))[:LONGEST_TERM]
