"""Accounts and groups: Django's own pages, told, where nobody rises above themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q
from django.http import HttpRequest

from backups_app.admin.looking import RecentLogin, again
from backups_app.admin.told import Told

if TYPE_CHECKING:
    AccountModelAdmin = UserAdmin[User]
else:  # generic in its type stubs only
    AccountModelAdmin = UserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class AccountAdmin(RecentLogin, Told, AccountModelAdmin):
    """Whoever is no superuser gives no more than they have, and touches nobody who may more."""

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        return again(request) or super().user_change_password(request, id, form_url)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _is_above(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_above(request.user, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        own = super().get_readonly_fields(request, obj)
        return own if request.user.is_superuser else (*own, "is_superuser", "user_permissions")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups" and not request.user.is_superuser:
            kwargs["queryset"] = _groups_below(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(Group)
class RoleAdmin(RecentLogin, Told, GroupAdmin):
    """Django's own, told."""


def _is_above(user: Any, other: User | None) -> bool:
    """Whether `user` may all that `other` may, or could if it was switched on again."""
    if other is None or user.is_superuser:
        return True
    return not other.is_superuser and _rights(other) <= _rights(user)


def _rights(user: Any) -> set[int]:
    theirs = Permission.objects.filter(Q(user=user) | Q(group__user=user))
    return set(theirs.values_list("pk", flat=True))


def _groups_below(user: Any) -> Any:
    beyond = Permission.objects.exclude(pk__in=_rights(user))
    return Group.objects.exclude(permissions__in=beyond)
