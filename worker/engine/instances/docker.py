"""Containers, through the Docker Engine API.

Reference: Docker Engine API, "Containers" (list, inspect, stop, start, pause, unpause). Every
call used here has been the same since version 1.24; which version to ask for, the engine says
itself (`Api-Version` of `/_ping`), so that old engines and Podman's socket do as well.

The id is the container's name: compose gives a recreated container the same one.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from worker.engine.errors import InstanceError
from worker.engine.instances.config import DockerConfig
from worker.engine.instances.driver import InstanceGone
from worker.engine.instances.web import Answer, call

ANSWER_TIMEOUT: Final = 10.0
MARGIN: Final = 10.0  # for the engine to kill a container that did not stop by itself
PROJECT_LABEL: Final = "com.docker.compose.project"
STOP_LABEL: Final = "tarkeep.stop"
SHORT_ID: Final = 12
OWN_FILE: Final = "/etc/hostname"


class DockerDriver:
    """The engine's containers that were chosen by label or by project."""

    name = "docker"

    def __init__(self, config: DockerConfig) -> None:
        self.config = config

    def running(self) -> list[str]:
        """The container made last comes first: it may need the ones made before it."""
        project = self.config.project
        label = f"{PROJECT_LABEL}={project}" if project else self.config.label
        filters = json.dumps({"label": [label], "status": ["running"]})
        found = self._json("GET", f"/containers/json?{urlencode({'filters': filters})}")
        chosen = [one for one in found if self._is_meant(one)]
        chosen.sort(key=lambda one: int(one["Created"]), reverse=True)
        return [_name(one) for one in chosen]

    def stop(self, instance: str, *, timeout: float) -> None:
        if self.config.action == "pause":
            self._do(instance, "pause", timeout=timeout)
        else:
            self._do(instance, f"stop?t={timeout:.0f}", timeout=timeout + MARGIN)

    def start(self, instance: str, *, timeout: float) -> None:
        paused = self._state(instance).get("Paused", False)
        self._do(instance, "unpause" if paused else "start", timeout=timeout)

    def is_healthy(self, instance: str) -> bool:
        """Running; and healthy, where the image or compose file has a health check."""
        state = self._state(instance)
        health = (state.get("Health") or {}).get("Status", "none")
        return state.get("Status") == "running" and health in {"none", "healthy"}

    def _is_meant(self, container: dict[str, Any]) -> bool:
        """Never the one we run in; and in a project, none that says tarkeep.stop=false."""
        labels = container.get("Labels") or {}
        return str(labels.get(STOP_LABEL)).lower() != "false" and not _is_ours(container["Id"])

    def _state(self, instance: str) -> dict[str, Any]:
        state: dict[str, Any] = self._json("GET", f"{_path(instance)}/json")["State"]
        return state

    def _do(self, instance: str, action: str, *, timeout: float) -> None:
        """204 is done, 304 was so already."""
        self._call("POST", f"{_path(instance)}/{action}", timeout=timeout)

    def _json(self, method: str, target: str) -> Any:
        try:
            return json.loads(self._call(method, target, timeout=ANSWER_TIMEOUT).body)
        except ValueError as error:
            raise _error("it did not answer in JSON") from error

    def _call(self, method: str, target: str, *, timeout: float) -> Answer:
        version = self._ask("GET", "/_ping", ANSWER_TIMEOUT).headers.get("Api-Version", "1.24")
        answer = self._ask(method, f"/v{version}{target}", timeout)
        if answer.status == 404:
            raise InstanceGone(f"Docker has no container of that name any more: {target[:200]}")
        if answer.status not in {200, 204, 304}:
            raise _error(f"it answered {answer.status}: {_message(answer)}")
        return answer

    def _ask(self, method: str, target: str, timeout: float) -> Answer:
        try:
            return call(method, self.config.host, target, timeout=timeout)
        except InstanceError as error:
            raise _error(error.message) from error


def _path(instance: str) -> str:
    return f"/containers/{quote(instance, safe='')}"


def _name(container: dict[str, Any]) -> str:
    """Its own name: a linked container has others too, such as /web/db."""
    names: list[str] = container["Names"]
    return min(names, key=lambda name: name.count("/")).lstrip("/")


def _is_ours(container_id: str) -> bool:
    """By our host name, which is the short id unless set, or by what is mounted on /etc/hostname.

    Only that mount counts: on the engine's own host all containers' mounts can be seen.
    """
    host = socket.gethostname()
    if len(host) == SHORT_ID and container_id.startswith(host):
        return True
    mounts = Path("/proc/self/mountinfo")
    lines = mounts.read_text(errors="replace").splitlines() if mounts.exists() else []
    fields = [line.split() for line in lines]
    return any(container_id in root for _, _, _, root, point, *_ in fields if point == OWN_FILE)


def _message(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "without a reason"


def _error(what: str) -> InstanceError:
    hint = "Look at DOCKER_HOST, and whether Tarkeep's user may use the engine's socket."
    return InstanceError(f"Docker: {what}", hint=hint)
