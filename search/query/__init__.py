"""What a person or an agent types, as filters and words: deterministic, without a language model.

`parse` is the door. Templates, inline modifiers and natural phrases each have a file; what is asked
by modifiers or as JSON holds, what is read out of plain words yields where nothing would be found.
"""

from search.query.asked import Person, Query, Who
from search.query.parse import parse

__all__ = ["Person", "Query", "Who", "parse"]
