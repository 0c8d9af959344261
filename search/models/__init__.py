from search.models.document import Document
from search.models.embedding import Embedding

__all__ = ["Document", "Embedding"]
