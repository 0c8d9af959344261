"""The object store: a folder, or a bucket of anything that speaks S3."""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage

# What is read from S3 is held in memory up to so much, then in a file.
IN_MEMORY = 8 << 20


# Where files of a Folder are written before they are there; what a crash left goes after a day.
PARTS = ".parts"
LEFT_BEHIND = 24 * 3600


class Folder(FileSystemStorage):
    """Files that are there whole or not at all, also after the power has failed.

    A name that begins with a dot is none that it lists.
    """

    def _save(self, name: str, content: File[Any]) -> str:
        parts = Path(self.location) / PARTS
        parts.mkdir(parents=True, exist_ok=True)
        for left in parts.iterdir():
            _forget(left)
        with NamedTemporaryFile(dir=parts, delete=False) as part:
            try:
                for chunk in content.chunks():
                    part.write(chunk)
                part.flush()
                os.fsync(part.fileno())
                saved: str = super()._save(name, _Written(part.name))  # type: ignore[misc]
            finally:
                Path(part.name).unlink(missing_ok=True)
        _sync(Path(self.path(saved)).parent)
        return saved

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        folders, files = super().listdir(path)
        return [n for n in folders if n[:1] != "."], [n for n in files if n[:1] != "."]


class _Written(File):  # type: ignore[type-arg]
    """A file that has only to be moved to where it belongs."""

    def __init__(self, path: str) -> None:
        super().__init__(None)
        self.path = path

    def temporary_file_path(self) -> str:
        return self.path


def _forget(left: Path) -> None:
    try:
        if time.time() - left.stat().st_mtime > LEFT_BEHIND:
            left.unlink()
    except FileNotFoundError:
        pass  # was moved to its place meanwhile


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def folder(path: str) -> dict[str, Any]:
    """An entry of STORAGES."""
    return {"BACKEND": "stackmemory.lib.objects.Folder", "OPTIONS": {"location": path}}


def bucket(
    name: str, *, endpoint: str = "", region: str = "", key: str = "", secret: str = ""
) -> dict[str, Any]:
    """An entry of STORAGES. Without key and secret, as boto3 finds them (a role, a profile)."""
    from botocore.config import Config  # takes a while, and most have no bucket

    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if endpoint else "auto"},
        # Checksums that S3 itself knows and others that speak S3 refuse.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 5},
    )
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": name,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "access_key": key or None,
            "secret_key": secret or None,
            "client_config": config,
            "default_acl": None,
            "file_overwrite": False,
            "max_memory_size": IN_MEMORY,
        },
    }
