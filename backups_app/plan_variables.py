"""A plan as the variables that say the same: so that `tarkeep`, which knows no database, works
on it. What a plan leaves to the machine's environment is not among them."""

from __future__ import annotations

from worker.engine.config import DEFAULT_PLAN, PlanConfig
from worker.engine.settings import Settings


def variables(settings: Settings, instance_driver: str = "") -> dict[str, str]:
    """By name; empty for the default plan, which the environment describes already."""
    if settings.plan.plan == DEFAULT_PLAN:
        return {}
    drivers = {"BACKUP_INSTANCE_DRIVER": instance_driver} if instance_driver else {}
    return {**_where(settings.plan), **_how(settings.plan), **drivers}


def _where(plan: PlanConfig) -> dict[str, str]:
    return {
        "BACKUP_DATA_DIR": str(plan.data_dir),
        "BACKUP_READ_DIR": "",
        "BACKUP_TEMP_DIR": str(plan.temp_dir),
        "BACKUP_PREFIX": plan.prefix or "/",
        "BACKUP_NAME": plan.name,
    }


def _how(plan: PlanConfig) -> dict[str, str]:
    return {
        "BACKUP_TIMEZONE": plan.timezone,
        "BACKUP_COMPRESSION_LEVEL": str(plan.compression_level),
        "BACKUP_EXCLUDE": ",".join(plan.exclude),
        "BACKUP_MAX_BACKUPS": str(plan.max_backups),
        "BACKUP_KEEP_DAILY": str(plan.keep_daily),
        "BACKUP_KEEP_WEEKLY": str(plan.keep_weekly),
        "BACKUP_KEEP_MONTHLY": str(plan.keep_monthly),
        "BACKUP_KEEP_YEARLY": str(plan.keep_yearly),
        "BACKUP_STOP_INSTANCES": "true" if plan.stop_instances else "false",
    }
