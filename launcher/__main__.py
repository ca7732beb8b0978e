"""`make run`: start everything in the foreground, say where it is, stop it on Ctrl-C.

Exit code 0 after Ctrl-C or a stop signal, 1 when something did not come up.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from honcho.printer import Message, Printer

from launcher import embedded, lock, manage, service
from launcher.errors import LaunchError
from launcher.ports import is_free
from launcher.private import private_directory
from launcher.sample import make_sample
from launcher.screen import Started, welcome
from launcher.supervisor import Supervisor
from worker.engine.settings import Settings, read_settings

HOME = Path(__file__).resolve().parent.parent


def main() -> int:
    # While starting up, every stop signal unwinds like Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        return _run(HOME)
    except LaunchError as error:
        print(f"\nTarkeep did not start. {error.message}", file=sys.stderr)  # noqa: T201
        if error.details:
            print(f"\n{error.details}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 0


def _run(home: Path) -> int:
    with ExitStack() as stack, _undisturbed_end():
        settings = _take_folder(home, stack)
        supervisor = _start_servers(home, settings, stack)
        sample = _make_sample(settings)
        _say("Preparing the database ...")
        manage.migrate(home, os.environ)
        administrator = manage.first_administrator(home, os.environ)
        _start_service(supervisor, settings)
        started = Started(read_settings(base_dir=home), administrator, home, sample)
        _say(welcome(started))
        supervisor.watch()
        _say("Stopping; a running backup gets time to stop properly (Ctrl-C again: at once) ...")
    _say("Stopped.")
    return 0


def _take_folder(home: Path, stack: ExitStack) -> Settings:
    """Make sure that we are alone in this folder, and that the web part's port is free."""
    var = private_directory(home / "var")
    stack.enter_context(lock.only_one(var))
    lock.end_leftovers(var)
    settings = read_settings(base_dir=home)
    if not is_free(settings.port):
        raise LaunchError(
            f"Port {settings.port} is taken by another program. "
            f"Set PORT to a free one: PORT={settings.port + 1} make run"
        )
    return settings


def _start_servers(home: Path, settings: Settings, stack: ExitStack) -> Supervisor:
    """Servers the user has not, running; whatever happens now, `stack` stops what was started."""
    _say("Starting Tarkeep ...")
    servers = embedded.Servers()
    stack.callback(servers.stop)
    try:
        embedded.start_missing(servers, home=home, logs=settings.logs_path)
    finally:
        lock.remember(home / "var", [process.pid for process in servers.processes])
    stack.callback(embedded.take_back, home)
    embedded.lend(servers, home)
    if embedded.needs_redis(home) is False:
        embedded.check_redis(settings.redis_url)
    os.environ.update(service.environment(settings.port, servers.env))
    return _supervise(home, servers, stack)


def _supervise(home: Path, servers: embedded.Servers, stack: ExitStack) -> Supervisor:
    events: queue.Queue[Message] = queue.Queue()
    children = service.children_of(home, os.environ, events)
    width = max(len(child.name) for child in children)
    printer = Printer(sys.stdout, width=width)
    supervisor = Supervisor(servers.processes, children, events, printer)
    supervisor.on_change = lambda: lock.remember(home / "var", supervisor.pids())
    stack.callback(supervisor.stop)
    return supervisor


def _start_service(supervisor: Supervisor, settings: Settings) -> None:
    _say("Starting web, workers and schedule ...")
    supervisor.start()
    supervisor.wait_ready(service.readiness(settings.port), limit=60)


def _make_sample(settings: Settings) -> bool:
    data = settings.plan.data_dir
    if data.exists():
        return False
    try:
        make_sample(data)
    except OSError as error:
        _say(f"No sample data made in {data}: {error.strerror}")
        return False
    return True


@contextlib.contextmanager
def _undisturbed_end() -> Iterator[None]:
    """When the block ends, stop signals no longer raise: servers are being stopped then."""
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    # The terminal may be gone (SIGHUP); what is left to do must still be done.
    with contextlib.suppress(OSError):
        print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
