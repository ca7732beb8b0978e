"""Programs of supervisord, through its XML-RPC interface, over a unix socket or HTTP.

Reference: supervisord's manual, "XML-RPC API Documentation" (process control, fault codes).
"""

from __future__ import annotations

import xmlrpc.client
from base64 import b64encode
from fnmatch import fnmatchcase
from typing import Any, Final
from xml.parsers.expat import ExpatError

from worker.engine.errors import InstanceError
from worker.engine.instances.config import SupervisorConfig
from worker.engine.instances.driver import InstanceGone
from worker.engine.instances.web import call

ANSWER_TIMEOUT: Final = 10.0
ALIVE: Final = frozenset({"RUNNING", "STARTING", "BACKOFF"})
BAD_NAME: Final = 10
ALREADY_STARTED: Final = 60
NOT_RUNNING: Final = 70


class SupervisorDriver:
    """The configured programs and groups. The id is `group:name`."""

    name = "supervisor"

    def __init__(self, config: SupervisorConfig) -> None:
        self.config = config

    def running(self) -> list[str]:
        """In the order of the configuration; within a pattern, in supervisord's."""
        alive = [p for p in self._ask("supervisor.getAllProcessInfo") if p["statename"] in ALIVE]
        found = (
            f"{process['group']}:{process['name']}"
            for pattern in self.config.programs
            for process in alive
            if _matches(process, pattern)
        )
        return list(dict.fromkeys(found))

    def stop(self, instance: str, *, timeout: float) -> None:
        """supervisord answers when the process has ended, by SIGKILL after its stopwaitsecs."""
        self._ask("supervisor.stopProcess", instance, True, timeout=timeout, fine=NOT_RUNNING)

    def start(self, instance: str, *, timeout: float) -> None:
        """supervisord answers when the process has lived for its startsecs."""
        self._ask("supervisor.startProcess", instance, True, timeout=timeout, fine=ALREADY_STARTED)

    def is_healthy(self, instance: str) -> bool:
        info = self._ask("supervisor.getProcessInfo", instance)
        return bool(info["statename"] == "RUNNING")

    def _ask(
        self, method: str, *words: Any, timeout: float = ANSWER_TIMEOUT, fine: int | None = None
    ) -> Any:
        """The answer's value; None when it is the fault `fine`."""
        try:
            return _value(self._post(xmlrpc.client.dumps(words, method).encode(), timeout))
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == fine:
                return None
            if fault.faultCode == BAD_NAME:
                raise InstanceGone(f"supervisord has no program {words[0]} any more") from fault
            raise _error(f"{method} {words[:1]}: {fault.faultString[:300]}") from fault

    def _post(self, body: bytes, timeout: float) -> bytes:
        headers = {"Content-Type": "text/xml", **self._credentials()}
        address = self.config.address
        try:
            answer = call("POST", address, "/RPC2", timeout=timeout, headers=headers, body=body)
        except InstanceError as error:
            raise _error(error.message) from error
        if answer.status != 200:
            raise _error(f"it answered {answer.status}")
        return answer.body

    def _credentials(self) -> dict[str, str]:
        if not self.config.username:
            return {}
        pair = f"{self.config.username}:{self.config.password}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def _matches(process: dict[str, str], pattern: str) -> bool:
    """`gateway` means gateway:gateway, as in supervisorctl; `gateway:*` the whole group."""
    group, colon, name = pattern.partition(":")
    wanted = name if colon else group
    return fnmatchcase(process["group"], group) and fnmatchcase(process["name"], wanted)


def _value(body: bytes) -> Any:
    """The single value of an answer. Raises `xmlrpc.client.Fault` for a fault."""
    try:
        return xmlrpc.client.loads(body)[0][0]
    except (ExpatError, xmlrpc.client.ResponseError, IndexError) as error:
        raise _error("it did not answer in XML-RPC") from error


def _error(what: str) -> InstanceError:
    hint = "Look at BACKUP_INSTANCE_SUPERVISOR_URL, its user name and password."
    return InstanceError(f"supervisord: {what}", hint=hint)
