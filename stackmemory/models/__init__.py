from stackmemory.models.archive_import import ArchiveImport
from stackmemory.models.cache_entry import CacheEntry
from stackmemory.models.job import Job

__all__ = ["ArchiveImport", "CacheEntry", "Job"]
