"""The settings of instances and hooks, as rows for the table of `worker.engine.settings`.

What a driver needs is asked for only when the driver is chosen.
"""

from __future__ import annotations

from typing import Any, Final

from worker.engine import values
from worker.engine.environment import Variable
from worker.engine.instances import readers

# Longer, and an instance might still be stopping when the reaper starts it after a crash.
LONGEST_STOP: Final = 60

DRIVER: Final = Variable(
    "BACKUP_INSTANCE_DRIVER", readers.driver_names, "none", "who stops and starts the instances"
)
STOP_POLICY: Final = Variable(
    "BACKUP_INSTANCE_STOP_POLICY",
    readers.one_of("abort", "continue"),
    "abort",
    "what an instance that cannot be stopped does to the backup",
)
STOP_TIMEOUT: Final = Variable(
    "BACKUP_INSTANCE_STOP_TIMEOUT",
    values.whole_number(1, LONGEST_STOP),
    "30",
    "seconds that one instance may take to stop",
)
START_TIMEOUT: Final = Variable(
    "BACKUP_INSTANCE_START_TIMEOUT",
    values.whole_number(1, 600),
    "30",
    "seconds that one instance may take to start",
)
READY_TIMEOUT: Final = Variable(
    "BACKUP_INSTANCE_READY_TIMEOUT",
    values.whole_number(1, 3600),
    "120",
    "seconds that all together may take to be started and healthy",
)
HEALTH_URL: Final = Variable(
    "BACKUP_INSTANCE_HEALTH_URL", readers.web_address, "", "answers 2xx when all is well again"
)
HEALTH_COMMAND: Final = Variable(
    "BACKUP_INSTANCE_HEALTH_COMMAND", readers.argv, "", "exits with 0 when all is well again"
)
DOCKER_HOST: Final = Variable(
    "DOCKER_HOST",
    readers.manager_address,
    "unix:///var/run/docker.sock",
    "where Docker's engine listens",
)
DOCKER_LABEL: Final = Variable(
    "BACKUP_INSTANCE_DOCKER_LABEL",
    readers.label,
    "tarkeep.stop=true",
    "which containers are stopped",
)
DOCKER_PROJECT: Final = Variable(
    "BACKUP_INSTANCE_DOCKER_PROJECT",
    lambda text: readers.label(text) if text else "",
    "",
    "the compose project whose containers are stopped, instead of the label",
)
DOCKER_ACTION: Final = Variable(
    "BACKUP_INSTANCE_DOCKER_ACTION", readers.one_of("stop", "pause"), "stop", "stop or pause"
)
SYSTEMD_UNITS: Final = Variable(
    "BACKUP_INSTANCE_SYSTEMD_UNITS", readers.patterns, "", "units or patterns of them"
)
SYSTEMD_USER: Final = Variable(
    "BACKUP_INSTANCE_SYSTEMD_USER", values.flag, "false", "asks systemctl --user"
)
SUPERVISOR_URL: Final = Variable(
    "BACKUP_INSTANCE_SUPERVISOR_URL",
    readers.manager_address,
    "unix:///var/run/supervisor.sock",
    "where supervisord listens",
)
SUPERVISOR_PROGRAMS: Final = Variable(
    "BACKUP_INSTANCE_SUPERVISOR_PROGRAMS", readers.patterns, "", "programs or groups (group:*)"
)
SUPERVISOR_USERNAME: Final = Variable(
    "BACKUP_INSTANCE_SUPERVISOR_USERNAME", str, "", "supervisord's user name"
)
SUPERVISOR_PASSWORD: Final = Variable(
    "BACKUP_INSTANCE_SUPERVISOR_PASSWORD", str, "", "supervisord's password", secret=True
)
STOP_COMMAND: Final = Variable(
    "BACKUP_INSTANCE_STOP_COMMAND", readers.argv, "", "stops an instance; no shell"
)
START_COMMAND: Final = Variable(
    "BACKUP_INSTANCE_START_COMMAND", readers.argv, "", "starts an instance; no shell"
)
STATUS_COMMAND: Final = Variable(
    "BACKUP_INSTANCE_STATUS_COMMAND", readers.argv, "", "exits with 0 while an instance runs"
)
COMMAND_IDS: Final = Variable(
    "BACKUP_INSTANCE_COMMAND_IDS", readers.ids, "", "what {id} in the commands stands for"
)
HTTP_STOP_URL: Final = Variable(
    "BACKUP_INSTANCE_HTTP_STOP_URL", readers.web_address, "", "called to stop an instance"
)
HTTP_START_URL: Final = Variable(
    "BACKUP_INSTANCE_HTTP_START_URL", readers.web_address, "", "called to start an instance"
)
HTTP_STATUS_URL: Final = Variable(
    "BACKUP_INSTANCE_HTTP_STATUS_URL", readers.web_address, "", "tells whether an instance runs"
)
HTTP_METHOD: Final = Variable(
    "BACKUP_INSTANCE_HTTP_METHOD",
    readers.one_of("POST", "PUT", "PATCH", "GET", "DELETE"),
    "POST",
    "the method of stop and start",
)
HTTP_TIMEOUT: Final = Variable(
    "BACKUP_INSTANCE_HTTP_TIMEOUT",
    values.whole_number(1, 600),
    "10",
    "seconds for an answer of the status",
)
HTTP_TOKEN: Final = Variable(
    "BACKUP_INSTANCE_HTTP_TOKEN",
    readers.header_secret,
    "",
    "sent as a bearer token",
    secret=True,
)
HTTP_IDS: Final = Variable(
    "BACKUP_INSTANCE_HTTP_IDS", readers.ids, "", "what {id} in the addresses stands for"
)
HTTP_RUNNING_TEXT: Final = Variable(
    "BACKUP_INSTANCE_HTTP_RUNNING_TEXT", str, "", "what the status holds while it runs"
)
HOOK_PRE: Final = Variable("BACKUP_HOOK_PRE", readers.argv, "", "a command before each backup")
HOOK_STOPPED: Final = Variable(
    "BACKUP_HOOK_STOPPED", readers.argv, "", "a command while instances are stopped for a backup"
)
HOOK_POST: Final = Variable(
    "BACKUP_HOOK_POST", readers.argv, "", "a command after a backup that succeeded"
)
HOOK_ON_ERROR: Final = Variable(
    "BACKUP_HOOK_ON_ERROR", readers.argv, "", "a command after a backup that did not succeed"
)
HOOK_TIMEOUT: Final = Variable(
    "BACKUP_HOOK_TIMEOUT", values.whole_number(1, 86_400), "300", "seconds for one hook"
)

INSTANCE_VARIABLES: Final[tuple[Variable[Any], ...]] = (
    DRIVER, STOP_POLICY, STOP_TIMEOUT, START_TIMEOUT, READY_TIMEOUT, HEALTH_URL, HEALTH_COMMAND,
    DOCKER_HOST, DOCKER_LABEL, DOCKER_PROJECT, DOCKER_ACTION, SYSTEMD_UNITS, SYSTEMD_USER,
    SUPERVISOR_URL, SUPERVISOR_PROGRAMS, SUPERVISOR_USERNAME, SUPERVISOR_PASSWORD,
    STOP_COMMAND, START_COMMAND, STATUS_COMMAND, COMMAND_IDS,
    HTTP_STOP_URL, HTTP_START_URL, HTTP_STATUS_URL, HTTP_METHOD, HTTP_TIMEOUT, HTTP_TOKEN,
    HTTP_IDS, HTTP_RUNNING_TEXT, HOOK_PRE, HOOK_STOPPED, HOOK_POST, HOOK_ON_ERROR, HOOK_TIMEOUT,
)  # fmt: skip
