from stackmemory.models.cache_entry import CacheEntry
from stackmemory.models.job import Job

__all__ = ["CacheEntry", "Job"]
