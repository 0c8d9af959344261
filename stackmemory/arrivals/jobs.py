"""What workers do."""

from __future__ import annotations

from stackmemory.arrivals import arriving
from stackmemory.models import ArchiveImport


def run_arrival(arrival_id: str) -> None:
    arrival = ArchiveImport.objects.select_related("created_by").filter(pk=arrival_id).first()
    if arrival is not None:
        arriving.take(arrival)
