"""A configured service for tests of the web part and the worker: fixtures and makers of jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from backups_app.models import Job, Kind, Trigger
from backups_app.states import State
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.settings import Settings

TOKEN = "t" * 40
BEARER = {"Authorization": f"Bearer {TOKEN}"}
KEY = "backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"
NOWHERE = StorageConfig(
    bucket="nowhere", access_key="a", secret_key="s", endpoint="http://127.0.0.1:9"
)


@pytest.fixture
def service(settings: Any, tmp_path: Path) -> Settings:
    """Right settings, with a bucket that nobody may ask for."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "hello.txt").write_text("hello\n")
    plan = PlanConfig(data_dir=data, temp_dir=tmp_path / "temp")
    settings.TARKEEP = replace(
        settings.TARKEEP, api_token=TOKEN, storage=NOWHERE, plan=plan, problems=()
    )
    return settings.TARKEEP


@pytest.fixture
def service_on_s3(service: Settings, settings: Any, storage_config: StorageConfig) -> Settings:
    """The same with an empty bucket on a real server."""
    settings.TARKEEP = replace(service, storage=storage_config)
    return settings.TARKEEP


def make_job(**fields: Any) -> Job:
    """A job as it lies in the database."""
    given = {"kind": Kind.BACKUP, "trigger": Trigger.API, **fields}
    return Job.objects.get(pk=Job.objects.create(**given).pk)


def claimed_job(**fields: Any) -> Job:
    made = make_job(**fields)
    job = Job.objects.claim(made.pk, owner="test", host=made.host)
    assert job is not None
    return job


def finished_job(state: State = State.SUCCEEDED, **fields: Any) -> Job:
    return make_job(
        state=state, started_at=timezone.now(), finished_at=timezone.now(), fence=1, **fields
    )


def expire(job: Job) -> None:
    """As if its worker had been silent for two minutes."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(minutes=1))
