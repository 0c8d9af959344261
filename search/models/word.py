"""A word that documents of a workspace hold: what a mistyped one is compared with."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from workspaces.models import TenantModel


class Word(TenantModel):
    """Of documents that the whole team may see; a word stays when its last document goes."""

    text = models.CharField(max_length=40)
    first = models.CharField(max_length=1)
    length = models.PositiveSmallIntegerField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "text"], name="word_once"),
        ]
        indexes: ClassVar = [
            # words that one might have meant
            models.Index(fields=["workspace", "first", "length"], name="word_near"),
        ]

    def __str__(self) -> str:
        return self.text
