"""Commands of the user's own that stop, start and look at an instance.

They come from the environment alone and are run without a shell. The status command exits with
0 while the instance runs and with 1, 2 or 3 when it does not (as init scripts do, LSB);
anything else means that it could not find out.
"""

from __future__ import annotations

import time
from typing import Final

from worker.engine.errors import InstanceError
from worker.engine.instances.config import Argv, CommandConfig
from worker.engine.instances.process import NotRun, run

STATUS_TIMEOUT: Final = 15.0
LOOK_EVERY: Final = 0.2
NOT_RUNNING: Final = frozenset({1, 2, 3})
ONLY: Final = "instance"  # the id where there are no ids


class CommandDriver:
    """One instance, or one for each configured id."""

    name = "command"

    def __init__(self, config: CommandConfig) -> None:
        self.config = config

    def running(self) -> list[str]:
        return [one for one in self.config.ids or (ONLY,) if self._runs(one)]

    def stop(self, instance: str, *, timeout: float) -> None:
        """A stop command may return early: the status has the last word."""
        deadline = time.monotonic() + timeout
        self._run("stop", self.config.stop, instance, timeout, told=True)
        while self._runs(instance):
            if time.monotonic() > deadline:
                raise _error("stop", instance, f"it still runs after {timeout:g} seconds")
            time.sleep(LOOK_EVERY)

    def start(self, instance: str, *, timeout: float) -> None:
        """Not run when the status says that it runs: a second start may do harm."""
        if not self._runs(instance):
            self._run("start", self.config.start, instance, timeout, told=False)

    def is_healthy(self, instance: str) -> bool:
        return self._runs(instance)

    def _runs(self, instance: str) -> bool:
        code, lines = self._code("status", self.config.status, instance, STATUS_TIMEOUT, told=True)
        if code and code not in NOT_RUNNING:
            raise _error("status", instance, _ended(code, lines))
        return code == 0

    def _run(self, verb: str, argv: Argv, instance: str, timeout: float, *, told: bool) -> None:
        code, lines = self._code(verb, argv, instance, timeout, told=told)
        if code:
            raise _error(verb, instance, _ended(code, lines))

    def _code(
        self, verb: str, argv: Argv, instance: str, timeout: float, *, told: bool
    ) -> tuple[int, list[str]]:
        """Exit code and output. What a start command leaves running gets no pipe of ours."""
        words = [word.replace("{id}", instance) for word in argv]
        lines: list[str] = []
        try:
            return run(words, timeout=timeout, on_line=lines.append if told else None), lines
        except NotRun as error:
            raise _error(verb, instance, str(error)) from error


def _ended(code: int, lines: list[str]) -> str:
    said = f": {lines[-1][:300]}" if lines else ""
    return f"it ended with {code}{said}"


def _error(verb: str, instance: str, what: str) -> InstanceError:
    hint = f"Try BACKUP_INSTANCE_{verb.upper()}_COMMAND by hand, as Tarkeep's user."
    return InstanceError(f"The {verb} command for {instance!r}: {what}", hint=hint)
