"""Reading a request's body: no more than is wanted, whatever it claims to be."""

from __future__ import annotations

import zlib

from django.http import HttpRequest

from stackmemory.lib.refusal import Refusal

CHUNK = 1 << 16
GZIP = zlib.MAX_WBITS | 16


class TooLarge(Refusal):
    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(
            "too_large",
            f"A body holds at most {most:,} bytes, decompressed. Send it in several parts.",
        )


class UnknownEncoding(Refusal):
    status = 415

    def __init__(self) -> None:
        super().__init__(
            "unsupported_encoding",
            "A body may be sent as it is or with “Content-Encoding: gzip”.",
            field="Content-Encoding",
        )


def read_body(request: HttpRequest, most: int) -> bytes:
    """The body, decompressed, of at most `most` bytes; `request.body` is it from now on.

    A compressed body is decompressed piece by piece and given up as soon as it is too large.
    Raises Refusal.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnknownEncoding
    try:
        claimed = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        claimed = 0
    if claimed > most:
        raise TooLarge(most)
    body = _gunzipped(request, most) if encoding == "gzip" else _plain(request, most)
    request._body = body  # type: ignore[attr-defined]
    return body


def _plain(request: HttpRequest, most: int) -> bytes:
    body = request.read(most + 1)
    while len(body) <= most and (more := request.read(most + 1 - len(body))):
        body += more
    if len(body) > most:
        raise TooLarge(most)
    return body


def _gunzipped(request: HttpRequest, most: int) -> bytes:
    body, stream, whole = bytearray(), zlib.decompressobj(GZIP), True
    try:
        while chunk := request.read(CHUNK):
            while chunk:
                body += stream.decompress(chunk, most + 1 - len(body))
                if len(body) > most:
                    raise TooLarge(most)
                whole, chunk = stream.eof, stream.unconsumed_tail
                if whole:  # gzip files may follow one another
                    chunk, stream = stream.unused_data, zlib.decompressobj(GZIP)
    except zlib.error:
        raise Refusal("invalid", "The body is not what gzip makes.", field="body") from None
    if not whole:
        raise Refusal("invalid", "The gzip body is cut off; send all of it.", field="body")
    return bytes(body)
