"""Units of systemd, through `systemctl`. Needs the right to manage them (root, or polkit)."""

from __future__ import annotations

from typing import Final

from worker.engine.errors import InstanceError
from worker.engine.instances.config import SystemdConfig
from worker.engine.instances.driver import InstanceGone
from worker.engine.instances.process import NotRun, run

ANSWER_TIMEOUT: Final = 15.0
ALIVE: Final = "active,reloading,activating"
NO_SUCH_UNIT: Final = 5  # EXIT_NOTINSTALLED of `systemctl start`, as in LSB


class SystemdDriver:
    """The configured units; a pattern is asked anew each time."""

    name = "systemd"

    def __init__(self, config: SystemdConfig) -> None:
        self.config = config

    def running(self) -> list[str]:
        """In the order of the configuration; what a pattern finds, in systemd's."""
        found = (unit for pattern in self.config.units for unit in self._alive(pattern))
        return list(dict.fromkeys(found))

    def stop(self, instance: str, *, timeout: float) -> None:
        self._do("stop", instance, timeout)

    def start(self, instance: str, *, timeout: float) -> None:
        self._do("start", instance, timeout)

    def is_healthy(self, instance: str) -> bool:
        return self._systemctl("is-active", "--quiet", "--", instance)[0] == 0

    def _alive(self, pattern: str) -> list[str]:
        """First column of the list; a bare name means a service, as with systemctl itself."""
        unit = pattern if "." in pattern else f"{pattern}.service"
        told = ("--plain", "--no-legend", "--full", f"--state={ALIVE}", "--", unit)
        code, lines = self._systemctl("list-units", *told)
        if code:
            raise _error(f"systemctl list-units ended with {code}: {_last(lines)}")
        return [line.split()[0] for line in lines if line.split()]

    def _do(self, verb: str, instance: str, timeout: float) -> None:
        code, lines = self._systemctl(verb, "--", instance, timeout=timeout)
        if code == NO_SUCH_UNIT and verb == "start":
            raise InstanceGone(f"systemd has no unit {instance} any more")
        if code:
            raise _error(f"systemctl {verb} {instance} ended with {code}: {_last(lines)}")

    def _systemctl(self, *words: str, timeout: float = ANSWER_TIMEOUT) -> tuple[int, list[str]]:
        scope = ["--user"] if self.config.user else []
        lines: list[str] = []
        argv = ["systemctl", *scope, "--no-pager", "--no-ask-password", *words]
        try:
            return run(argv, timeout=timeout, on_line=lines.append), lines
        except NotRun as error:
            raise _error(f"systemctl {words[0]}: {error}") from error


def _last(lines: list[str]) -> str:
    return lines[-1][:300] if lines else "it said nothing"


def _error(what: str) -> InstanceError:
    hint = "Try the same by hand as Tarkeep's user; it needs the right to manage the unit."
    return InstanceError(f"systemd: {what}", hint=hint)
