"""Models that turn text into vectors. EMBEDDINGS says which one: local, openai or none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from django.conf import settings

from search.embedders.local import LocalEmbedder
from search.embedders.openai import OpenAIEmbedder, Unavailable

__all__ = ["Embedder", "Unavailable", "embedder"]


class Embedder(Protocol):
    """`name` and `dimension` stand with every vector; vectors are of unit length."""

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> np.ndarray: ...


@cache
def embedder() -> Embedder | None:
    """The model new vectors are made with; None where search goes by words alone."""
    if settings.EMBEDDINGS == "openai":
        return OpenAIEmbedder(
            url=settings.EMBEDDINGS_URL,
            key=settings.EMBEDDINGS_KEY,
            model=settings.EMBEDDINGS_MODEL,
            dimension=settings.EMBEDDINGS_DIMENSION,
        )
    return LocalEmbedder() if settings.EMBEDDINGS == "local" else None
