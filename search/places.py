"""Where a document's thing is looked at: a page, at the moment it happened."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from search.models import Document


def place_of(document: Any, slug: str) -> str:
    """The path of the page: the frame's timeline at the event, the anchor or task in its list."""
    frame = reverse("frames:frame", args=[slug, document.frame_id]) if document.frame_id else ""
    if document.kind == Document.Kind.EVENT:
        return f"{frame}?{urlencode({'at': document.at.isoformat()})}#timeline"
    if document.kind == Document.Kind.TASK and not frame:
        return reverse("frames:tasks", args=[slug])
    if document.kind == Document.Kind.ANCHOR and not frame:
        words = " ".join(document.head.split()[:6])[:100]
        return f"{reverse('frames:anchors', args=[slug])}?{urlencode({'q': words})}"
    return frame
