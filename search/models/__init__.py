from search.models.context import ContextBundle, ContextMark
from search.models.document import Document
from search.models.embedding import Embedding
from search.models.indexed_frame import IndexedFrame
from search.models.saved_search import SavedSearch
from search.models.vector_set import VectorSet
from search.models.word import Word

__all__ = [
    "ContextBundle",
    "ContextMark",
    "Document",
    "Embedding",
    "IndexedFrame",
    "SavedSearch",
    "VectorSet",
    "Word",
]
