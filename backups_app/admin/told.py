"""What the admin's pages change is written into the audit log, with what was there before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.http import HttpRequest

from backups_app import audit

UNTOLD: Final = "password"  # fields with that in their names
CHANGES: Final = "tarkeep_changes"


def told(request: HttpRequest, action: str, target: str, **details: Any) -> None:
    audit.record(
        action,
        actor=request.user.get_username(),
        how="admin",
        address=audit.address_of(request),
        target=target,
        **details,
    )


class Told:
    """For a ModelAdmin: what it adds, changes and deletes."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        setattr(request, CHANGES, {} if add else changes(form))
        return super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        told(request, "add", f"{obj._meta.model_name} {obj}")
        return super().log_addition(request, obj, message)  # type: ignore[misc]

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        found = getattr(request, CHANGES, {})
        told(request, "change", f"{obj._meta.model_name} {obj}", changed=found)
        return super().log_change(request, obj, message)  # type: ignore[misc]

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            told(request, "delete", f"{obj._meta.model_name} {obj}")
        return super().log_deletions(request, queryset)  # type: ignore[misc]


def changes(form: Any) -> dict[str, list[Any]]:
    """Before and after of each field that was changed; of passwords only that they were."""
    return {
        name: [] if UNTOLD in name else [plain(form.initial.get(name)), plain(value)]
        for name in form.changed_data
        if (value := form.cleaned_data.get(name)) is not None or UNTOLD in name
    }


def plain(value: Any) -> Any:
    """As JSON holds it; of rows their names."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return sorted(str(one) for one in value)
    return value if isinstance(value, bool | int | None) else str(value)
