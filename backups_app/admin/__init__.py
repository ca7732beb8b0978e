"""Django's admin: the history, tokens, the audit log, accounts, plans, what is set and watches."""

from backups_app.admin import accounts, audit_log, jobs, plans, tokens, watching

__all__ = ["accounts", "audit_log", "jobs", "plans", "tokens", "watching"]
