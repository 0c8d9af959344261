"""The other side of bench/search: ChromaDB over the same vectors, in an environment of its own.

Reads vectors and owners from a folder, makes a collection with the owner as metadata, says how long
that took, then answers the questions whose numbers come on standard input, one a line.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import chromadb
import numpy as np


def main() -> None:
    folder = Path(sys.argv[1])
    vectors, owners = np.load(folder / "vectors.npy"), np.load(folder / "owners.npy")
    questions, asking = np.load(folder / "questions.npy"), np.load(folder / "asking.npy")
    client = chromadb.PersistentClient(
        str(folder / "chroma"), settings=chromadb.Settings(anonymized_telemetry=False)
    )
    collection = client.create_collection("bench", metadata={"hnsw:space": "ip"})
    began = time.perf_counter()
    for start in range(0, len(vectors), 5_000):
        part = range(start, min(start + 5_000, len(vectors)))
        collection.add(
            ids=[str(n) for n in part],
            embeddings=vectors[start : part.stop].astype(np.float32),
            metadatas=[{"workspace": int(owners[n])} for n in part],
        )
    tell({"seconds": round(time.perf_counter() - began, 1), "version": chromadb.__version__})
    for line in sys.stdin:
        number = int(line)
        began = time.perf_counter()
        found = collection.query(
            query_embeddings=[questions[number]],
            n_results=10,
            where={"workspace": int(asking[number])},
            include=["distances"],
        )
        ms = (time.perf_counter() - began) * 1000
        tell({"ms": ms, "found": [int(id_) for id_ in found["ids"][0]]})


def tell(what: dict) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
