"""How many tokens a text has, by a real tokenizer whose vocabulary comes along: no download.

cl100k_base (MIT), as OpenAI publishes it; why that one: docs/decisions/0006-tokens.md.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path

import tiktoken

VOCABULARY = Path(__file__).parent / "cl100k_base.tiktoken.gz"
SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
NAME = "cl100k_base"


# Of so many lines the tokens are remembered: what bears on a project's work is given again and again.
LINES = 20_000


def count(text: str) -> int:
    return len(_encoding().encode_ordinary(text))


def shortened(text: str, most: int) -> str:
    """The text, or as much of its beginning as `most` tokens hold, with a mark that it goes on."""
    if len(text) * 4 <= most:
        return text  # no character has more bytes, no byte more tokens
    head = text[: most * 40]  # what is longer than that is cut anyhow
    tokens = _encoding().encode_ordinary(head)
    if len(tokens) <= most and len(head) == len(text):
        return text
    kept = _encoding().decode(tokens[: max(most - 2, 1)], errors="ignore").rstrip()
    cut = kept.rfind(" ", max(len(kept) - 24, 0))
    return f"{kept[:cut] if cut > 0 else kept} …"


@cache
def _encoding() -> tiktoken.Encoding:
    data = gzip.decompress(VOCABULARY.read_bytes())
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise RuntimeError(f"{VOCABULARY.name} is not the vocabulary this was built with.")
    pairs = (line.split() for line in data.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    return tiktoken.Encoding(NAME, pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
