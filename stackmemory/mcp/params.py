"""Parameters that several tools have, described for a model."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

IN_PROJECT = Annotated[
    str,
    Meta(
        description="Slug of the project, e.g. “shop-api”. Leave out where the address or the key is for"
        " one project."
    ),
]
IN_SESSION = Annotated[
    str,
    Meta(
        description="Your run: your client’s own session id (e.g."
        " “5f2c8a0e-9f0b-4a53-8c3a-0c6f3b1c2d4e”) or ours. Leave out to go by the connection.",
        max_length=500,
    ),
]
FRAME = Annotated[
    str,
    Meta(
        description="The frame: our id (e.g. “019a5d2e-…”) or your own `source_id`. Leave out for the"
        " one on top of your session’s stack.",
        max_length=500,
    ),
]
SOURCE_ID = Annotated[
    str,
    Meta(
        description="Your own id for it, e.g. “run42-frame3”. Sending the same again makes nothing new,"
        " so a retry is harmless.",
        max_length=500,
    ),
]
CURSOR = Annotated[
    str, Meta(description="`next` of the page before, for the one after it.", max_length=2000)
]
TEXT = Annotated[str, Meta(min_length=1, max_length=20_000)]
