"""Any endpoint that speaks OpenAI's embeddings API: a company's own, a proxy, or OpenAI's."""

from __future__ import annotations

import http.client
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import numpy as np

from frames.redact import Redactor

logger = logging.getLogger(__name__)
BATCH, TRIES, TIMEOUT = 64, 3, 20.0
# A single text is a search that somebody waits for: asked once, and not for long.
SOON = 4.0
LARGEST = 64 * 1024 * 1024
# After so many failures in a row nobody asks for a while; then one request tries again.
FAILURES, PAUSE = 5, 60.0
# Asking again may help: too many requests, or the other side is not well.
PASSING = (408, 409, 425, 429, 500, 502, 503, 504)


class Unavailable(RuntimeError):
    """The endpoint gives no vectors now. Searches go by words; jobs are found again by the clock."""


class _NoRedirect(HTTPRedirectHandler):
    """The key goes to the address that was set, and nowhere that it points to."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


class OpenAIEmbedder:
    def __init__(
        self,
        *,
        url: str,
        key: str,
        model: str,
        dimension: int,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError("EMBEDDINGS_URL has to begin with https:// or http://.")
        self.url, self.key, self.model = f"{url.rstrip('/')}/embeddings", key, model
        self.dimension = dimension
        # Vectors of another length are another model's.
        self.name = f"{model}:{dimension}"[:100]
        self._sleep, self._clock = sleep, clock
        self._failures, self._open_until = 0, 0.0
        self._opener: OpenerDirector = build_opener(_NoRedirect)
        self._redactor = Redactor()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, one row a text. Secrets are taken out first. Raises Unavailable."""
        rows = []
        for start in range(0, len(texts), BATCH):
            part = [self._redactor.redact(text)[0] or " " for text in texts[start : start + BATCH]]
            rows += self._ask(part)
        vectors = np.array(rows, dtype=np.float32).reshape(len(texts), self.dimension)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)

    def _ask(self, texts: list[str]) -> list[list[float]]:
        if self._clock() < self._open_until:
            raise Unavailable(
                "The embeddings endpoint failed repeatedly; it is left alone for now."
            )
        tries = TRIES if len(texts) > 1 else 1
        for attempt in range(tries):
            try:
                rows = self._read(self._send(texts), len(texts))
            except HTTPError as problem:
                problem.close()
                reason, again = f"HTTP {problem.code}", problem.code in PASSING
            except (URLError, OSError, ValueError, http.client.HTTPException) as problem:
                reason, again = type(problem).__name__, True
            else:
                self._failures = 0
                return rows
            if not again or self._failures + 1 >= FAILURES:
                break
            if attempt + 1 < tries:
                self._sleep(0.5 * 2**attempt)
        self._failures += 1
        if self._failures >= FAILURES:
            self._open_until = self._clock() + PAUSE
        logger.warning("embeddings endpoint: %s", reason)
        raise Unavailable(f"The embeddings endpoint gave no vectors ({reason}).")

    def _send(self, texts: list[str]) -> bytes:
        body = {"model": self.model, "input": texts, "dimensions": self.dimension}
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = Request(self.url, json.dumps(body).encode(), headers)
        patience = TIMEOUT if len(texts) > 1 else SOON
        with self._opener.open(request, timeout=patience) as response:
            data: bytes = response.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError("the answer is too large")
        return data

    def _read(self, data: bytes, count: int) -> list[list[float]]:
        try:
            items = sorted(json.loads(data)["data"], key=lambda item: item["index"])
            rows = [[float(x) for x in item["embedding"]] for item in items]
        except (KeyError, TypeError) as problem:
            raise ValueError("the answer has no vectors") from problem
        if len(rows) != count or any(len(row) != self.dimension for row in rows):
            raise ValueError(f"not {count} vectors of {self.dimension} numbers")
        if not np.isfinite(rows).all():
            raise ValueError("a vector is not finite")
        return rows
