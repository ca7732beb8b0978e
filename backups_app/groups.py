"""The roles in the database: one group for each, with the permissions that `roles` gives it.

Written anew by each `manage.py migrate`, so that a newer version's permissions come with it.
For another mix make a group of another name: it is left alone.
"""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from backups_app import roles

# Beyond Tarkeep's own: an administrator looks after the accounts.
ACCOUNTS = ("view_user", "add_user", "change_user", "delete_user", "view_group")


def write_roles() -> None:
    """Make the four groups, or put them right."""
    for role in roles.NAMES:
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(_permissions(role))


def _permissions(role: str) -> list[Permission]:
    ours = [name.partition(".")[2] for name in roles.permissions_of(role)]
    wanted = Q(content_type__app_label="backups_app", codename__in=ours)
    if role == roles.ADMIN:
        wanted |= Q(content_type__app_label="auth", codename__in=ACCOUNTS)
    return list(Permission.objects.filter(wanted))
