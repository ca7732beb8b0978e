"""Tell listeners that a job changed. At most once, best effort, never in the way of a job."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any, Final
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import DatabaseError, connection, transaction

from backups_app.api.serialisers import job_json
from backups_app.breaker import Breaker
from backups_app.crowd import GROUP
from backups_app.models import Job

TIMEOUT: Final = 1.0

breaker = Breaker("Publishing progress")


def announce(job_id: UUID) -> None:
    """Publish the job as it is once the transaction in hand is committed, or at once."""
    transaction.on_commit(partial(publish, job_id), robust=True)


def publish(job_id: UUID) -> bool:
    """Publish the job, whole, as it is now. False when nobody could be told; raises nothing."""
    return breaker.call(partial(_publish, job_id))


def _publish(job_id: UUID) -> None:
    try:
        job = Job.objects.get(pk=job_id)
        told = {"type": "job", "job": job_json(job)}
    except DatabaseError:
        connection.close_if_unusable_or_obsolete()  # whoever publishes goes on with a good one
        raise
    # As text, made once: a thousand listeners need not make it a thousand times.
    text = json.dumps(told)
    message = {"type": "job.changed", "id": str(job_id), "state": job.state, "text": text}
    async_to_sync(_send)(message)


async def _send(message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        await asyncio.wait_for(layer.group_send(GROUP, message), TIMEOUT)
