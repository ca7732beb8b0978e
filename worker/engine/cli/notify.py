"""`tarkeep notify-test`: whether notifications arrive."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from worker.engine.cli.output import Output
from worker.engine.errors import ConfigError
from worker.engine.notify.trial import Delivery, send_trial
from worker.engine.settings import Settings


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    text = "send a message to each address of BACKUP_NOTIFY_URLS and say what came of it"
    command("notify-test", notify_test, text).set_defaults(tolerant=True)


def notify_test(settings: Settings, output: Output) -> int:
    """Needs neither bucket nor database. Exit code 2 when one was not taken."""
    deliveries = send_trial(settings.notify)
    data = [{"address": one.name, "taken": one.taken, "reason": one.reason} for one in deliveries]
    output.result({"deliveries": data}, "\n".join(_line(one) for one in deliveries))
    return 0 if all(one.taken for one in deliveries) else ConfigError.exit_code


def _line(one: Delivery) -> str:
    return f"{one.name}: {'taken' if one.taken else one.reason}"
