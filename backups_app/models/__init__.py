"""What the database keeps: jobs, accounts' tokens and doings, and a few rows about the present."""

from backups_app.models.attempt import SignInAttempt, UnnamedProxy
from backups_app.models.audit import AuditEntry, AuditHead
from backups_app.models.host import Host
from backups_app.models.idempotency import Once
from backups_app.models.job import CHECKS, REPLACING, Job, Kind, Mode, Trigger
from backups_app.models.line import JobLine
from backups_app.models.plan import Plan
from backups_app.models.present import (
    BucketSummary,
    BucketTrouble,
    DoctorReport,
    FolderTrouble,
    ScheduleClock,
    SchedulePause,
)
from backups_app.models.token import ApiToken
from backups_app.models.watch import Notice, NoticeState, OpenAlert, Part, PartSeen

__all__ = [
    "CHECKS", "REPLACING", "ApiToken", "AuditEntry", "AuditHead", "BucketSummary",
    "BucketTrouble", "DoctorReport", "FolderTrouble", "Host", "Job", "JobLine", "Kind", "Mode",
    "Notice", "NoticeState", "Once", "OpenAlert", "Part", "PartSeen", "Plan", "ScheduleClock",
    "SchedulePause", "SignInAttempt", "Trigger", "UnnamedProxy",
]  # fmt: skip
