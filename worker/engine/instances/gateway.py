"""Instances that the application itself stops and starts, through its own HTTP API.

Status: 2xx means that it runs, 404, 409 and 503 that it does not. With a running text, 2xx
means so only when the answer holds that text; white space in both is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from worker.engine.errors import InstanceError
from worker.engine.instances.config import GatewayConfig
from worker.engine.instances.web import Answer, call_url

NOT_RUNNING: Final = frozenset({404, 409, 503})
LOOK_EVERY: Final = 0.2
ONLY: Final = "gateway"  # the id where there are no ids


class GatewayDriver:
    """The whole gateway, or one instance for each configured id."""

    name = "http"

    def __init__(self, config: GatewayConfig) -> None:
        self.config = config

    def running(self) -> list[str]:
        return [one for one in self.config.ids or (ONLY,) if self._runs(one)]

    def stop(self, instance: str, *, timeout: float) -> None:
        """Answers may come before the deed (202): the status has the last word."""
        self._change(self.config.stop_url, instance, timeout, lambda: not self._runs(instance))

    def start(self, instance: str, *, timeout: float) -> None:
        if not self._runs(instance):
            self._change(self.config.start_url, instance, timeout, lambda: self._runs(instance))

    def is_healthy(self, instance: str) -> bool:
        return self._runs(instance)

    def _change(
        self, address: str, instance: str, timeout: float, done: Callable[[], bool]
    ) -> None:
        deadline = time.monotonic() + timeout
        answer = self._call(self.config.method, address, instance, timeout)
        if not 200 <= answer.status < 300:
            raise _error(instance, f"it answered {answer.status}")
        while not done():
            if time.monotonic() > deadline:
                raise _error(instance, f"nothing came of it within {timeout:g} seconds")
            time.sleep(LOOK_EVERY)

    def _runs(self, instance: str) -> bool:
        answer = self._call("GET", self.config.status_url, instance, self.config.timeout)
        if answer.status in NOT_RUNNING:
            return False
        if not 200 <= answer.status < 300:
            raise _error(instance, f"its status answered {answer.status}")
        text = "".join(answer.body.decode(errors="replace").split())
        return "".join(self.config.running_text.split()) in text

    def _call(self, method: str, address: str, instance: str, timeout: float) -> Answer:
        url = address.replace("{id}", quote(instance, safe=""))
        token = self.config.token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return call_url(method, url, timeout=timeout, headers=headers)
        except InstanceError as error:
            raise _error(instance, error.message) from error


def _error(instance: str, what: str) -> InstanceError:
    hint = "Look at the addresses BACKUP_INSTANCE_HTTP_… and at the gateway's own log."
    return InstanceError(f"Gateway, {instance!r}: {what}", hint=hint)
