"""One place with running instances for each driver, all alike, so that one suite fits all.

Each has the instances one and two, which run, and three, which does not.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.ports import free_ports
from launcher.server import Command, ServerProcess
from tests.support import appctl, fake_systemctl, writer
from tests.support.docker_engine import Container, Engine
from worker.engine.environment import Environment
from worker.engine.instances.config import InstanceConfig
from worker.engine.instances.driver import Driver
from worker.engine.instances.drivers import open_drivers
from worker.engine.instances.reading import read_instances

ROOT = Path(__file__).parents[3]
NAMES = ("one", "two", "three")
TOKEN = "gateway-token-that-nobody-may-see"


class Site:
    """`settings` lead to the instances; `ids` are the driver's words for one, two and three."""

    def __init__(
        self,
        settings: dict[str, str],
        ids: list[str],
        folder: Path,
        runs: Callable[[str], bool] | None = None,
    ) -> None:
        self.settings, self.ids, self.folder = settings, ids, folder
        self._runs = runs or (lambda name: writer.alive(folder, name))

    def config(self, **changes: str) -> InstanceConfig:
        env = Environment({**self.settings, **changes}, self.folder)
        config = read_instances(env)
        assert env.problems == []
        return config

    def driver(self, **changes: str) -> Driver:
        return open_drivers(self.config(**changes))[0]

    def running(self) -> list[str]:
        """The truth, of the driver's making no part."""
        return [name for name in NAMES if self._runs(name)]

    def settle(self, wanted: list[str]) -> list[str]:
        """What runs, as soon as it is what is wanted, or after half a minute."""
        deadline = time.monotonic() + 30
        while self.running() != wanted and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.running()

    def spoil(self, verb: str, name: str, kind: str) -> None:
        (self.folder / f"fault-{verb}-{name}").write_text(kind)

    def mend(self, verb: str, name: str) -> None:
        (self.folder / f"fault-{verb}-{name}").unlink()


@contextmanager
def command_site(folder: Path) -> Iterator[Site]:
    ctl = f"'{sys.executable}' '{appctl.__file__}' '{folder}'"
    settings = {
        "BACKUP_INSTANCE_DRIVER": "command",
        "BACKUP_INSTANCE_STOP_COMMAND": f"{ctl} stop {{id}}",
        "BACKUP_INSTANCE_START_COMMAND": f"{ctl} start {{id}}",
        "BACKUP_INSTANCE_STATUS_COMMAND": f"{ctl} status {{id}}",
        "BACKUP_INSTANCE_COMMAND_IDS": ",".join(NAMES),
    }
    site = Site(settings, list(NAMES), folder)
    yield from _started(site)


@contextmanager
def http_site(folder: Path) -> Iterator[Site]:
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}/instances/{{id}}"
    argv = [sys.executable, "-m", "tests.support.gateway", str(port), TOKEN, str(folder), *NAMES]
    server = ServerProcess(Command("gateway", argv, ROOT, folder / "gateway.log"))
    settings = {
        "BACKUP_INSTANCE_DRIVER": "http",
        "BACKUP_INSTANCE_HTTP_STOP_URL": f"{url}/stop",
        "BACKUP_INSTANCE_HTTP_START_URL": f"{url}/start",
        "BACKUP_INSTANCE_HTTP_STATUS_URL": f"{url}/status",
        "BACKUP_INSTANCE_HTTP_TOKEN": TOKEN,
        "BACKUP_INSTANCE_HTTP_IDS": ",".join(NAMES),
        "BACKUP_INSTANCE_HTTP_RUNNING_TEXT": '"running":true',
    }
    site = Site(settings, list(NAMES), folder)
    try:
        server.wait_ready(lambda: _answers(site), limit=30)
        yield from _started(site)
    finally:
        server.stop()


SUPERVISORD = """
[unix_http_server]
file={folder}/supervisor.sock
username=tarkeep
password={password}
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[group:app]
programs=one,two,three
[program:broken]
command=/nowhere/program
autostart=false
"""
PROGRAM = """
[program:{name}]
command={python} {writer} {folder} {name}
autostart={autostart}
startsecs=0
"""


@contextmanager
def supervisor_site(folder: Path) -> Iterator[Site]:
    """A real supervisord. The program `other` belongs to nobody here."""
    text = SUPERVISORD.format(folder=folder, password=TOKEN)
    words = {"python": sys.executable, "writer": writer.__file__, "folder": folder}
    for name in (*NAMES, "other"):
        text += PROGRAM.format(name=name, autostart=name in {"one", "two", "other"}, **words)
    (folder / "supervisord.conf").write_text(text)
    program = str(Path(sys.executable).with_name("supervisord"))
    argv = [program, "-c", str(folder / "supervisord.conf")]
    server = ServerProcess(Command("supervisord", argv, folder, folder / "output.log"))
    settings = {
        "BACKUP_INSTANCE_DRIVER": "supervisor",
        "BACKUP_INSTANCE_SUPERVISOR_URL": f"unix://{folder}/supervisor.sock",
        "BACKUP_INSTANCE_SUPERVISOR_USERNAME": "tarkeep",
        "BACKUP_INSTANCE_SUPERVISOR_PASSWORD": TOKEN,
        "BACKUP_INSTANCE_SUPERVISOR_PROGRAMS": "app:*",
    }
    site = Site(settings, [f"app:{name}" for name in NAMES], folder)
    try:
        server.wait_ready(lambda: site.running() == ["one", "two"], limit=60)
        yield site
    finally:
        server.stop()
        assert not writer.alive(folder, "other")


@contextmanager
def systemd_site(folder: Path) -> Iterator[Site]:
    """Not systemd: see `tests/support/fake_systemctl.py`."""
    path = fake_systemctl.install(folder)
    for name in (*NAMES, "other"):
        state = "inactive" if name == "three" else "active"
        (folder / "units" / _unit(name)).write_text(state)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{path}:{before}"
    settings = {
        "BACKUP_INSTANCE_DRIVER": "systemd",
        "BACKUP_INSTANCE_SYSTEMD_UNITS": f"{_unit('one')} {_unit('t*')}",
    }
    try:
        yield Site(
            settings,
            [_unit(name) for name in NAMES],
            folder,
            lambda name: (folder / "units" / _unit(name)).read_text() == "active",
        )
        assert (folder / "units" / _unit("other")).read_text() == "active"
    finally:
        os.environ["PATH"] = before


def _unit(name: str) -> str:
    return f"gateway@{name}.service"


@contextmanager
def docker_site(folder: Path) -> Iterator[Site]:
    """Not Docker: see `tests/support/docker_engine.py`."""
    ours = {"tarkeep.stop": "true"}
    containers = [
        Container("app-three", 100, ours, "exited"),
        Container("app-two", 200, ours),
        Container("app-one", 300, ours),
        Container("other", 400),
    ]
    engine = Engine(folder / "docker.sock", containers)
    settings = {
        "BACKUP_INSTANCE_DRIVER": "docker",
        "DOCKER_HOST": f"unix://{folder}/docker.sock",
    }
    site = DockerSite(settings, engine, folder)
    try:
        yield site
        assert engine.containers["other"].status == "running"
    finally:
        engine.stop()


class DockerSite(Site):
    def __init__(self, settings: dict[str, str], engine: Engine, folder: Path) -> None:
        self.engine = engine
        ids = [f"app-{name}" for name in NAMES]
        truth = engine.containers
        super().__init__(settings, ids, folder, lambda n: truth[f"app-{n}"].status == "running")

    def spoil(self, verb: str, name: str, kind: str) -> None:
        self.engine.faults[verb, f"app-{name}"] = "hang" if kind == "hang" else 500

    def mend(self, verb: str, name: str) -> None:
        del self.engine.faults[verb, f"app-{name}"]


def _answers(site: Site) -> bool:
    try:
        site.driver().running()
    except Exception:  # noqa: BLE001 - whatever it is, it is not up yet
        return False
    return True


def _started(site: Site) -> Iterator[Site]:
    """With one and two running; nothing is left behind."""
    driver = site.driver()
    try:
        for name in ("one", "two"):
            driver.start(name, timeout=30)
        yield site
    finally:
        for name in NAMES:
            writer.end(site.folder, name)


SITES = {
    "command": command_site,
    "http": http_site,
    "supervisor": supervisor_site,
    "systemd": systemd_site,
    "docker": docker_site,
}


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Each driver's place in turn."""
    with SITES[request.param](tmp_path) as made:
        yield made


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Site]:
    with command_site(tmp_path) as made:
        yield made


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Site]:
    with http_site(tmp_path) as made:
        yield made


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Site]:
    with supervisor_site(tmp_path) as made:
        yield made


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Site]:
    with systemd_site(tmp_path) as made:
        yield made


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[DockerSite]:
    with docker_site(tmp_path) as made:
        yield made
