"""Models that turn text into vectors. EMBEDDINGS says which one: local, openai or none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from django.conf import settings

from search.embedders.local import LocalEmbedder
from search.embedders.openai import OpenAIEmbedder, Unavailable

__all__ = ["Embedder", "Unavailable", "embedder", "embedder_of"]


class Embedder(Protocol):
    """`name` and `dimension` stand with every vector; vectors are of unit length."""

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> np.ndarray: ...
    def __hash__(self) -> int: ...


@cache
def embedder() -> Embedder | None:
    """The model new vectors are made with; None where search goes by words alone."""
    if settings.EMBEDDINGS == "openai":
        return _remote(settings.EMBEDDINGS_MODEL, settings.EMBEDDINGS_DIMENSION)
    return LocalEmbedder() if settings.EMBEDDINGS == "local" else None


@cache
def embedder_of(name: str, dimension: int) -> Embedder | None:
    """The model that made a vector of this name, if it can still be asked: the local one always, a
    remote one where the endpoint that is set now is the one it was asked at."""
    if name == LocalEmbedder.name:
        return LocalEmbedder()
    model, colon, _ = name.rpartition(":")
    if colon and (settings.EMBEDDINGS == "openai" or settings.EMBEDDINGS_KEY):
        return _remote(model, dimension)
    return None


def _remote(model: str, dimension: int) -> OpenAIEmbedder:
    return OpenAIEmbedder(
        url=settings.EMBEDDINGS_URL,
        key=settings.EMBEDDINGS_KEY,
        model=model,
        dimension=dimension,
    )
