"""A vector of a document, by one model. Vectors of several models stand side by side."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from search.fields import HalfVectorField
from workspaces.models import TenantModel


class Embedding(TenantModel):
    document = models.ForeignKey(
        "search.Document", on_delete=models.CASCADE, related_name="embeddings", db_constraint=False
    )
    model = models.CharField(max_length=100)
    dimension = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    vector = HalfVectorField()
    # Which approximate index holds it, if one does (VectorSet.bucket).
    bucket = models.SmallIntegerField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "model"], name="embedding_once"),
        ]
        indexes: ClassVar = [
            # exact comparison within a workspace
            models.Index(fields=["workspace", "model"], name="embedding_of_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.model} of {self.document_id}"
