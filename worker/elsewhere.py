"""What beat ticks on the main machine, told to the other machines' control workers too."""

from __future__ import annotations

from functools import partial
from typing import Final

from django.conf import settings

from backups_app import hosts
from backups_app.breaker import Breaker
from backups_app.models import Part
from worker.app import app, queue_of
from worker.tasks import PUBLISHING

EXPIRES: Final = 60  # seconds: a machine that was away has no use for old ticks

telling: Final = Breaker("Telling other machines")


def pass_on(task: str, *, passed_on: bool) -> None:
    """Tell each other machine whose control lives; not what was passed on to us."""
    if passed_on or not hosts.is_home(settings.TARKEEP):
        return
    for host in sorted(hosts.living(Part.CONTROL) - {settings.TARKEEP.host}):
        telling.call(partial(_tell, f"tarkeep.{task}", queue_of("control", host)))


def _tell(task: str, queue: str) -> None:
    with app.connection_for_write(transport_options=PUBLISHING) as connection:
        app.send_task(
            task,
            kwargs={"passed_on": True},
            queue=queue,
            expires=EXPIRES,
            retry=False,
            connection=connection,
        )
