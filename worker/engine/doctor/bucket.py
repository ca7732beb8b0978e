"""What the bucket's server answers, and what it can do: found out by trying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.doctor.finding import Finding
from worker.engine.errors import StorageError
from worker.engine.storage import capabilities
from worker.engine.storage.capabilities import Capabilities
from worker.engine.storage.quirks import QUIRKS
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_client import Patience
from worker.engine.storage.s3_probe import Probe

SKEW_TOLD = 60.0
_PATIENCE = Patience(attempts=2, seconds=0)


def probe(
    config: StorageConfig, plan: PlanConfig, now: datetime
) -> tuple[list[Finding], Capabilities]:
    """The findings, and the abilities, which are kept in the bucket. Raises `StorageError`."""
    # What is kept of it is no backup: it needs no lock, and must be writable without one.
    storage = open_storage(replace(config, object_lock_days=0), patience=_PATIENCE)
    storage.check(plan.prefix)
    findings = [Finding("ok", "bucket", f"{config.bucket!r} answers")]
    with Probe(config, plan) as trial:
        findings.append(_echo(trial))
        findings.append(_deleting(trial))
        found = trial.run()
    capabilities.save(storage, plan, config, found, now=now)
    return [*findings, *_abilities(found, config)], found


def _echo(probe: Probe) -> Finding:
    if probe.read_back():
        return Finding("ok", "objects", "what is written comes back byte for byte")
    hint = "Another address or version of the server may help: backups would be damaged."
    text = "what is written does not come back as it was"
    return Finding("bad", "objects", text, hint, StorageError.exit_code)


def _deleting(probe: Probe) -> Finding:
    try:
        probe.delete()
    except StorageError as error:
        hint = "Old backups will stay. Give the keys s3:DeleteObject, or mind the bucket's size."
        return Finding("note", "deleting", error.message, hint)
    return Finding("ok", "deleting", "objects can be deleted")


def _abilities(found: Capabilities, config: StorageConfig) -> Iterator[Finding]:
    known = QUIRKS.get(found.provider)
    yield Finding("ok", "provider", f"{found.provider}; {known}" if known else found.provider)
    yield _parts(found)
    for about, can, good, poor in (
        ("copying", found.range_copy, "parts of objects are copied by the server",
         "parts of objects cannot be copied by the server"),
        ("copy condition", found.copy_if_match, "a replaced object is not copied from",
         "whether an object was replaced is not looked at when copying"),
        ("put condition", found.conditional_put, "a put can refuse to overwrite",
         "a put cannot refuse to overwrite: it is looked at before"),
        ("Content-MD5", found.checks_md5, "damage on the way is refused",
         "damage on the way is not noticed by the server"),
        ("SHA-256", found.checks_sha256, "a body unlike its checksum is refused",
         "checksums other than MD5 are not looked at"),
        ("trailing checksums", found.trailers, "understood",
         "not understood; they are not used"),
    ):  # fmt: skip
        yield Finding("ok" if can else "note", about, good if can else poor)
    yield from _keeping(found, config)
    yield _clock(found)


def _parts(found: Capabilities) -> Finding:
    if not found.multipart:
        text = "uploads in parts are refused"
        return Finding("bad", "uploads", text, "Tarkeep needs them.", StorageError.exit_code)
    sizes = "which must have one size" if found.equal_parts else "of any sizes"
    smallest = found.min_part // (1024 * 1024)
    return Finding("ok", "uploads", f"in parts {sizes}; {smallest} MiB ones are taken")


def _keeping(found: Capabilities, config: StorageConfig) -> Iterator[Finding]:
    if found.versioning:
        text = "the bucket keeps versions: what is deleted goes on taking space"
        hint = "Set a lifecycle rule for noncurrent versions; see docs/retention.md."
        yield Finding("note", "versions", text, hint)
    if config.object_lock_days and not found.object_lock:
        text = "BACKUP_S3_OBJECT_LOCK_DAYS is set, but the bucket has no Object Lock"
        hint = "Make a bucket with Object Lock, or unset it: every upload will be refused."
        yield Finding("bad", "object lock", text, hint, StorageError.exit_code)
    elif found.object_lock:
        yield Finding("ok", "object lock", "the bucket has it")


def _clock(found: Capabilities) -> Finding:
    ahead = found.skew_seconds
    if abs(ahead) <= SKEW_TOLD:
        return Finding("ok", "clock", "this machine and the server agree")
    text = f"this machine's clock is {abs(ahead):.0f} s {'behind' if ahead > 0 else 'ahead'}"
    return Finding("note", "clock", text, "Turn on NTP: at 15 minutes S3 refuses all requests.")
