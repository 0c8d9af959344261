"""What every page of the operators' admin has in common: quick on any table, and never a deletion."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest

from workspaces import audit
from workspaces.models import Workspace

START = 20_000  # characters of a large column that are shown


class BoundedPaginator(Paginator):
    """Counts to a thousand and no further: counting all rows of a large table reads all of it."""

    LIMIT = 1000

    @cached_property
    def count(self) -> int:
        return int(self.object_list.order_by()[: self.LIMIT].count())  # type: ignore[attr-defined]


class OperatorAdmin(admin.ModelAdmin):
    """Shows everything, changes what `changeable` names; adds and deletes only where it is `theirs`.

    A change to a workspace's row is written to that workspace's audit log.
    """

    changeable: ClassVar[tuple[str, ...]] = ()
    # The operator's own rows (limits), made with these columns and removed again.
    theirs: ClassVar[tuple[str, ...]] = ()
    # Columns that may be megabytes: not read for lists, and only their beginning is shown.
    large: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[tuple[str, ...]] = ()

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_select_related: ClassVar[Any] = ("workspace",)
    ordering: ClassVar[Any] = ("-id",)
    search_fields: ClassVar[Any] = ("id",)
    search_help_text = "An id; or a workspace's address, alone or followed by the client's own id."
    view_on_site = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).defer(*self.large)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        names = [field.name for field in self.opts.fields if field.name not in self.hidden]
        return [self._starts.get(name, name) for name in names]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        editable = self.changeable if obj else (*self.theirs, *self.changeable)
        return [f for f in self.get_fields(request, obj) if f not in editable]

    @cached_property
    def _starts(self) -> dict[str, Callable[[Any], str]]:
        return {name: start_of(name) for name in self.large}

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """Only by what an index serves."""
        words = search_term.split(maxsplit=1)
        if not words:
            return queryset, False
        if (key := as_uuid(words[0])) and len(words) == 1:
            return self.by_id(queryset, key), False
        return self.in_workspace(queryset, *words), False

    def by_id(self, queryset: models.QuerySet[Any], key: uuid.UUID) -> models.QuerySet[Any]:
        return queryset.filter(pk=key)

    def in_workspace(
        self, queryset: models.QuerySet[Any], slug: str, source_id: str = ""
    ) -> models.QuerySet[Any]:
        queryset = queryset.filter(workspace__slug=slug)
        if not source_id:
            return queryset
        has_one = any(field.name == "source_id" for field in self.opts.fields)
        return queryset.filter(source_id=source_id) if has_one else queryset.none()

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            before = {name: as_text(form.initial.get(name)) for name in form.changed_data}
            after = {name: as_text(form.cleaned_data[name]) for name in form.changed_data}
            self.remember(request, obj, before if change else None, after)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        names = (*self.theirs, *self.changeable)
        self.remember(request, obj, {name: as_text(getattr(obj, name)) for name in names}, None)
        super().delete_model(request, obj)

    def remember(self, request: HttpRequest, obj: Any, before: Any, after: Any) -> None:
        workspace = obj if isinstance(obj, Workspace) else getattr(obj, "workspace", None)
        if workspace:
            audit.record(
                workspace=workspace, action="operator.changed", target=obj,
                before=before, after=after, request=request,
            )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.changeable) and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.theirs) and super().has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.theirs) and super().has_delete_permission(request, obj)


def start_of(name: str) -> Callable[[Any], str]:
    """A read-only field that shows the beginning of a column."""

    @admin.display(description=name.replace("_", " "))
    def shown(obj: Any) -> str:
        value = getattr(obj, name)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
        if len(text) <= START:
            return text
        return f"{text[:START]} … ({len(text):,} characters in all)"

    return shown


def as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def as_text(value: Any) -> Any:
    """What the audit log can hold of a form's value."""
    plain = isinstance(value, str | int | float | bool | None)
    return value if plain else str(getattr(value, "pk", value))
