"""The Celery application. What it carries are hints: the truth is in the database.

The settings are measured (each names the experiment that asked for it, numbers as in our
notes on Celery 5.7 with Redis):
"""

from __future__ import annotations

import os
from typing import Any, Final

from celery import Celery
from celery.signals import celeryd_after_setup, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backup_project.settings")

from django.conf import settings

HOST: Final = settings.TARKEEP.host


def queue_of(kind: str, host: str) -> str:
    """Each machine has queues of its own: jobs go where the data is."""
    return f"{kind}.{host}"


JOBS: Final = queue_of("backup", HOST)
CONTROL: Final = queue_of("control", HOST)

# Without socket_timeout a worker whose connection is half open waits for ever and never runs
# its own health check. The visibility timeout is longer than any reservation: with prefetch
# off nothing is reserved but what runs.
TRANSPORT: Final = {
    "visibility_timeout": 21_600,
    "socket_timeout": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,  # a connection that is silent for twice as long is dropped
}


def tick(task: str, seconds: float) -> dict[str, Any]:
    """A periodic task on the control queue. One that could not run in time is not made up."""
    options = {"queue": CONTROL, "expires": seconds}
    return {"task": f"tarkeep.{task}", "schedule": seconds, "options": options}


app = Celery("tarkeep", broker=settings.TARKEEP.redis_url)
app.conf.update(
    include=["worker.tasks", "worker.periodic", "worker.heartbeat"],
    # Acknowledged early: a late one is delivered again while the job still runs, and beside
    # it. What a dead worker leaves behind is found by its lease instead.
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    task_ignore_result=True,
    task_track_started=False,
    task_serializer="json",
    accept_content=["json"],
    task_default_queue=CONTROL,
    # A message reserved behind a long job is delivered twice; so none is reserved.
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    # A lost connection to Redis must not end a running backup.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options=TRANSPORT,
    # Soft shutdown cancels jobs and forgets them; ours drain themselves instead.
    worker_soft_shutdown_timeout=0,
    worker_max_tasks_per_child=20,
    worker_send_task_events=False,
    timezone="UTC",
    beat_scheduler="worker.ticking:Scheduler",
    beat_max_loop_interval=15,
    beat_schedule={
        "schedule": tick("schedule_tick", 15),
        "dispatch": tick("dispatch_tick", 15),
        "reaper": tick("reaper_tick", 15),
        "janitor": tick("janitor_tick", 3600),
        "copies": tick("copies_tick", 3600),
        "notices": tick("notices_tick", 3600),
        "bucket": tick("bucket_tick", 3600),
    },
    beat_schedule_filename=str(settings.VAR_DIR / "celerybeat-schedule"),
)


@celeryd_after_setup.connect
def take_own_queues(instance: Any, **_: Any) -> None:
    """`-Q backup` and `-Q control` mean those of this machine: commands are alike everywhere."""
    queues = instance.app.amqp.queues
    for kind in ("backup", "control"):
        if kind in queues.consume_from:
            queues.deselect(kind)
            queues.select_add(queue_of(kind, HOST))


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Django has set up logging; Celery leaves it alone when someone listens here."""
