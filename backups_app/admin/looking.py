"""Pages that change nothing, and pages that want to know who is there."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import urlencode

from backups_app.signing_in import is_recent


class OnlyLooking:
    """For a ModelAdmin whose rows tell what happened."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecentLogin:
    """For a ModelAdmin whose forms, actions and deletions ask for the password once more.

    Asked for with the form, not when it is sent: nothing that was filled in is lost.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return again(request) or super().changeform_view(request, *args, **kwargs)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return again(request) or super().delete_view(request, *args, **kwargs)  # type: ignore[misc]

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        asked = again(request) if request.method == "POST" else None
        return asked or super().changelist_view(request, *args, **kwargs)  # type: ignore[misc]


def again(request: HttpRequest) -> HttpResponseBase | None:
    """To the page that asks for the password, where the login is too old; and back here."""
    if is_recent(request):
        return None
    query = {"again": "1", "next": request.get_full_path()}
    return redirect(f"/login/?{urlencode(query)}")
