"""What the launcher says once everything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from launcher.manage import Administrator
from worker.engine.settings import Settings

_RULE = "─" * 72


@dataclass(frozen=True)
class Started:
    """Facts for the screen. `sample` is true when the data folder was just made by us."""

    settings: Settings
    administrator: Administrator
    home: Path
    sample: bool


def welcome(started: Started) -> str:
    """One block: where to open, who logs in, where data, backups and logs are."""
    settings = started.settings
    lines = [
        ("Open", f"http://127.0.0.1:{settings.port}/"),
        *_administrator(started.administrator),
        ("Data", _data(started)),
        ("Backups", _backups(started)),
        ("Encrypted", "yes" if settings.plan.encryption_key else "no (set BACKUP_ENCRYPTION_KEY)"),
        ("Schedule", _schedule(settings)),
        ("Logs", str(settings.logs_path)),
        *(("Problem", f"{p.message}. {p.hint}") for p in settings.problems),
        ("Stop", "Ctrl-C"),
    ]
    body = "\n".join(f"  {name:<10} {text}" for name, text in lines)
    return f"{_RULE}\n  Tarkeep runs.\n\n{body}\n{_RULE}"


def _administrator(administrator: Administrator) -> list[tuple[str, str]]:
    if administrator.password is None:
        return [("User", administrator.username)]
    shown = f"{administrator.password}   (shown this once: note it down)"
    return [("User", administrator.username), ("Password", shown)]


def _data(started: Started) -> str:
    made = "   (a small sample, made just now)" if started.sample else ""
    return f"{started.settings.plan.data_dir}{made}"


def _backups(started: Started) -> str:
    storage = started.settings.storage
    if started.settings.embedded_s3:
        return (
            f"ON THIS SAME MACHINE, under {started.home / 'var' / 's3'}\n"
            f"{'':13}(to look into it from a shell: set -a; . var/bucket.env)\n"
            f"{'':13}A lost disk loses them too. For a bucket elsewhere, set BACKUP_S3_BUCKET,\n"
            f"{'':13}BACKUP_S3_ACCESS_KEY, BACKUP_S3_SECRET_KEY and BACKUP_S3_ENDPOINT in .env"
        )
    return f"bucket {storage.bucket} at {storage.endpoint or f'AWS, {storage.region}'}"


def _schedule(settings: Settings) -> str:
    if not settings.enabled:
        return "off (set BACKUP_ENABLED=true)"
    return f"{settings.schedule}   ({settings.timezone})"
