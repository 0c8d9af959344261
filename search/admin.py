"""The operators' admin: what search made of everything. All of it can be made again, so it only reads."""

from __future__ import annotations

from django.contrib import admin
from django.db import models

from search import models as made
from workspaces.operators import OperatorAdmin

SMALL = (
    models.CharField,
    models.UUIDField,
    models.ForeignKey,
    models.IntegerField,
    models.FloatField,
    models.BooleanField,
    models.DateTimeField,
)


def page_of(model: type[models.Model]) -> type[OperatorAdmin]:
    """Small columns in lists, references by their id; of the large ones the beginning."""
    fields = model._meta.fields
    small = [field for field in fields if isinstance(field, SMALL)]
    shown = [field.name if field.name == "workspace" else field.attname for field in small]
    return type(
        f"{model.__name__}Admin",
        (OperatorAdmin,),
        {
            "large": tuple(field.name for field in fields if field not in small),
            "list_display": tuple(name for name in shown if name != "created_at"),
        },
    )


for name in made.__all__:
    model = getattr(made, name)
    admin.site.register(model, page_of(model))
