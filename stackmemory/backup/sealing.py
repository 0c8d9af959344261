"""A file that only who has the key can read, and nobody can change or cut short unseen.

    header   16 bytes  b"StackMemoryBak1\\n"
              1 byte   log2 of scrypt's N (r = 8, p = 1)
             16 bytes  scrypt's salt
              7 bytes  the beginning of every nonce
    chunks   each of 1 MiB of the content (the last may be shorter), AES-256-GCM, 16 bytes of tag;
             nonce = beginning, the chunk's number (4 bytes, big endian), 1 for the last chunk else 0;
             the header is authenticated with each of them

The AES key is scrypt(key, salt), 32 bytes: another one for each file, so that no nonce comes twice.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from stackmemory.backup.errors import BadBackup

MAGIC = b"StackMemoryBak1\n"
HEADER, TAG, CHUNK = len(MAGIC) + 1 + 16 + 7, 16, 1 << 20
COST, MOST_COST = 15, 20
SHORTEST_KEY = 16


class Sealer(io.RawIOBase):
    """Writes to `out`, sealed. Without close() the file stays without an end, and is refused."""

    def __init__(self, out: BinaryIO, key: str) -> None:
        self._out, self._held, self._number = out, bytearray(), 0
        salt, self._beginning = os.urandom(16), os.urandom(7)
        self._header = MAGIC + bytes([COST]) + salt + self._beginning
        self._cipher = _cipher(key, salt, COST)
        out.write(self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._held += data
        while len(self._held) > CHUNK:  # what is left at the end is the last one
            self._write(bytes(self._held[:CHUNK]), last=False)
            del self._held[:CHUNK]
        return len(data)

    def finish(self) -> None:
        self._write(bytes(self._held), last=True)
        self._held.clear()

    def _write(self, chunk: bytes, *, last: bool) -> None:
        nonce = _nonce(self._beginning, self._number, last)
        self._out.write(self._cipher.encrypt(nonce, chunk, self._header))
        self._number += 1


class Opened(io.RawIOBase):
    """Reads what a Sealer wrote. Raises BadBackup at the first byte that is not as it was."""

    def __init__(self, source: BinaryIO, key: str) -> None:
        self._source, self._ready, self._number = source, b"", 0
        self._header = source.read(HEADER)
        if len(self._header) < HEADER or not self._header.startswith(MAGIC):
            raise BadBackup("This is not an encrypted backup, or only the beginning of one.")
        cost, rest = self._header[len(MAGIC)], self._header[len(MAGIC) + 1 :]
        if not 10 <= cost <= MOST_COST:
            raise BadBackup("The backup’s header is damaged; take another copy of the file.")
        self._beginning = rest[16:]
        self._cipher = _cipher(key, rest[:16], cost)
        self._next = source.read(CHUNK + TAG)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        pieces, wanted = [], size if size >= 0 else 1 << 62
        while wanted:
            if not self._ready and not self._open():
                break
            piece, self._ready = self._ready[:wanted], self._ready[wanted:]
            pieces.append(piece)
            wanted -= len(piece)
        return b"".join(pieces)

    def _open(self) -> bool:
        """Whether there was another chunk with something in it."""
        chunk = self._next
        if not chunk:
            if not self._number:
                raise BadBackup("The backup is cut off; take another copy of the file.")
            return False
        self._next = self._source.read(CHUNK + TAG)
        nonce = _nonce(self._beginning, self._number, not self._next)
        try:
            self._ready = self._cipher.decrypt(nonce, chunk, self._header)
        except InvalidTag:
            raise BadBackup(
                "The key is not the one the backup was made with, or the file is damaged."
                if not self._number
                else "The backup is damaged or cut off; take another copy of the file."
            ) from None
        self._number += 1
        return bool(self._ready)


def good_key(key: str) -> str:
    """The key, if it is long enough to be one."""
    if len(key) < SHORTEST_KEY:
        raise BadBackup(
            f"The key for backups is shorter than {SHORTEST_KEY} characters. Make one with: openssl"
            " rand -base64 32, set it as BACKUP_KEY, and keep it where the backups are not."
        )
    return key


def _cipher(key: str, salt: bytes, cost: int) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=1 << cost, r=8, p=1).derive(key.encode()))


def _nonce(beginning: bytes, number: int, last: bool) -> bytes:
    return beginning + number.to_bytes(4, "big") + bytes([last])
