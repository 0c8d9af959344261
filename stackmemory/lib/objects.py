"""The object store: a folder, or a bucket of anything that speaks S3."""

from __future__ import annotations

from typing import Any

# What is read from S3 is held in memory up to so much, then in a file.
IN_MEMORY = 8 << 20


def folder(path: str) -> dict[str, Any]:
    """An entry of STORAGES."""
    return {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": path},
    }


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
