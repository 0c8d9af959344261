"""What bench/search looks through: teams of very different size, their words and their vectors.

The vectors are made up, for real ones of a million texts take hours: a mixture of topics that teams
share in part, frames within topics and documents within frames, in directions that matter unequally,
as those of sentence models do. A document's words follow its topic, too, and a question is made of
some words of a document and of a vector near that document's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import numpy as np

DIMENSION = 384
TOPICS, VOCABULARY, OF_TOPIC = 500, 30_000, 150
IN_FRAME = 25
SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


@dataclass
class Data:
    """Documents in the order in which they were written; those of a frame together."""

    workspaces: list[UUID]
    of: np.ndarray  # which workspace, of each document
    frame: np.ndarray  # which frame, of each document
    topic: np.ndarray
    ids: np.ndarray  # 16 bytes each
    vectors: np.ndarray  # float16, unit length
    words: list[str]
    of_topic: np.ndarray  # words of each topic
    seed: int

    def id_of(self, number: int) -> UUID:
        return UUID(bytes=self.ids[number].tobytes())

    def texts(self, start: int, stop: int) -> Iterator[list[str]]:
        """The words of documents start … stop; the same ones each time."""
        for number in range(start, stop):
            random = np.random.default_rng((self.seed, number))
            length = int(np.clip(random.lognormal(4.0, 0.6), 12, 300))
            own = np.minimum(random.zipf(1.3, length // 2), OF_TOPIC) - 1
            any_ = np.minimum(random.zipf(1.2, length - len(own)), VOCABULARY) - 1
            chosen = np.concatenate([self.of_topic[self.topic[number]][own], any_])
            random.shuffle(chosen)
            yield [self.words[n] for n in chosen]

    def questions(self, count: int, seed: int) -> Iterator[tuple[int, str, np.ndarray]]:
        """(workspace, words, vector); who has written more asks more."""
        random = np.random.default_rng(seed)
        for number in random.integers(0, len(self.of), count):
            (words,) = self.texts(number, number + 1)
            asked = random.choice(sorted(set(words)), random.integers(2, 6), replace=False)
            away = spread(random, 1)[0]
            vector = self.vectors[number].astype(np.float32) + 0.6 * away
            yield int(self.of[number]), " ".join(asked), vector / np.linalg.norm(vector)


def sizes(documents: int, workspaces: int) -> np.ndarray:
    """One has 30 % of all, each next one less, the last ones little; or, of many, all a little."""
    if workspaces > 100:
        share = np.random.default_rng(7).lognormal(0, 1, workspaces)
        return np.maximum(1, (share / share.sum() * documents).astype(int))
    share = 1 / np.arange(2, workspaces + 1) ** 1.2
    rest = (share / share.sum() * documents * 0.7).astype(int)
    return np.concatenate([[documents - rest.sum()], rest])


def spread(random: np.random.Generator, count: int) -> np.ndarray:
    """Vectors of about unit length whose directions matter unequally."""
    scale = np.arange(1, DIMENSION + 1) ** -0.4
    scale /= np.sqrt((scale**2).sum())
    return (random.standard_normal((count, DIMENSION)) * scale).astype(np.float32)


def make(documents: int, workspaces: int, seed: int = 1) -> Data:
    random = np.random.default_rng(seed)
    each = sizes(documents, workspaces)
    frame_of, frame_topic = [], []
    for workspace, size in enumerate(each):
        frames = -(-size // IN_FRAME)
        # A team works on some of the topics, more on the larger part of the wall.
        known = random.choice(TOPICS, min(TOPICS, 5 + frames // 8), replace=False)
        frame_topic += list(random.choice(known, frames))
        frame_of += [workspace] * frames
    order = random.permutation(len(frame_of))  # teams write at the same time
    left = each.copy()
    of, frame = [], []
    for place in order:
        n = min(IN_FRAME, left[frame_of[place]])
        left[frame_of[place]] -= n
        of += [frame_of[place]] * n
        frame += [place] * n
    where = np.array(frame)
    topic = np.array(frame_topic)[where]
    centres, offsets = spread(random, TOPICS), spread(random, len(frame_of))
    common = spread(random, 1)
    vectors = np.empty((len(of), DIMENSION), dtype=np.float16)
    for start in range(0, len(of), 50_000):
        part = slice(start, min(start + 50_000, len(of)))
        made = 0.4 * common + centres[topic[part]] + 0.6 * offsets[where[part]]
        made = made + 0.9 * spread(random, len(made))
        vectors[part] = made / np.linalg.norm(made, axis=1, keepdims=True)
    ids = random.integers(0, 256, (len(of), 16), dtype=np.uint8)
    words = vocabulary(random)
    return Data(
        [UUID(bytes=random.bytes(16), version=4) for _ in each], np.array(of), where, topic, ids,
        vectors, words, random.integers(200, VOCABULARY, (TOPICS, OF_TOPIC)), seed,
    )  # fmt: skip


def vocabulary(random: np.random.Generator) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        words["".join(random.choice(SYLLABLES, random.integers(2, 5)))] = None
    return list(words)
