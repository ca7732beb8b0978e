"""Who may do what: the permissions, and the four roles made of them.

A role is a Django group of that name; each role may do all that the one before it may. What an
address needs is declared by its view (`needs`), and everything else is refused.
"""

from __future__ import annotations

from typing import Final

VIEW: Final = "backups_app.view_job"
START: Final = "backups_app.start_job"
KEEP: Final = "backups_app.keep_backup"
RESTORE: Final = "backups_app.restore_backup"
DOWNLOAD: Final = "backups_app.download_backup"
DELETE: Final = "backups_app.delete_backup"
TOKENS: Final = "backups_app.manage_tokens"
PLANS: Final = "backups_app.change_plan"
AUDIT: Final = "backups_app.view_auditentry"

# In the order of the roles, for people: what each permission lets one do.
ABOUT: Final = {
    VIEW: "look at backups, jobs and settings",
    START: "start and cancel backups, verifications and drills; pause the schedule",
    KEEP: "pin backups",
    RESTORE: "restore backups, and undo that",
    DOWNLOAD: "download what is in backups",
    DELETE: "let backups go: delete them, take pins away, confirm a loss of data",
    TOKENS: "make and revoke API tokens",
    PLANS: "make, change and remove plans",
    AUDIT: "read the audit log",
}
VIEWER, OPERATOR, RESTORER, ADMIN = "viewer", "operator", "restorer", "admin"
_ADDED: Final = {
    VIEWER: (VIEW,),
    OPERATOR: (START, KEEP),
    RESTORER: (RESTORE, DOWNLOAD),
    ADMIN: (DELETE, TOKENS, PLANS, AUDIT),
}
NAMES: Final = tuple(_ADDED)


def permissions_of(role: str) -> tuple[str, ...]:
    """All permissions of a role, those of the roles below it among them. `KeyError`."""
    ours = NAMES[: NAMES.index(role) + 1] if role in _ADDED else ()
    if not ours:
        raise KeyError(role)
    return tuple(permission for name in ours for permission in _ADDED[name])


def role_with(permission: str) -> str:
    """The least role that has that permission."""
    return next(role for role, added in _ADDED.items() if permission in added)
