"""docker-compose.yml without Docker: its shape against the specification, its commands for real."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import pytest
import yaml

from backups_app.models import Part, PartSeen
from tests.support.celeryworker import environment
from tests.support.image import build
from tests.support.service import service, service_on_s3
from worker.engine.instances.config import DockerConfig
from worker.engine.instances.docker import DockerDriver

__all__ = ["service", "service_on_s3"]
ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES = COMPOSE["services"]
PARTS = ("web", "worker", "control", "beat")
PATIENCE = 90


def test_the_file_follows_the_compose_specification():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_that_check_finds_what_is_wrong(tmp_path):
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text().replace("stop_grace_period", "stop_grace_perod"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(wrong)], capture_output=True, text=True, check=False)
    assert done.returncode == 1


def test_every_secret_and_volume_that_is_used_is_declared_and_the_other_way_round():
    used = {name for one in SERVICES.values() for name in one.get("secrets", ())}
    assert used == set(COMPOSE["secrets"])
    mounts = {line.split(":")[0] for one in SERVICES.values() for line in one.get("volumes", ())}
    assert {name for name in mounts if name[0] not in "$./"} == set(COMPOSE["volumes"])


def test_no_service_of_ours_is_stopped_by_a_backup_of_the_whole_project():
    for name, one in SERVICES.items():
        container = {"Id": "0" * 64, "Labels": one["labels"]}
        assert not DockerDriver(DockerConfig(project="tarkeep"))._is_meant(container), name


def test_parts_are_those_of_the_procfile_and_stop_properly():
    procfile = dict(
        line.split(": exec ", 1) for line in (ROOT / "Procfile").read_text().splitlines()
    )
    assert set(procfile) == set(PARTS) <= set(SERVICES)
    for part in PARTS:
        assert SERVICES[part]["command"][0] == procfile[part].split()[0]
        assert SERVICES[part]["stop_grace_period"]
        assert SERVICES[part]["init"] is True


def test_dockerfile_and_compose_agree_on_how_the_web_part_is_served():
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (command,) = [line for line in text.splitlines() if line.startswith("CMD ")]
    assert json.loads(command.removeprefix("CMD ")) == SERVICES["web"]["command"]
    assert "USER tarkeep" in text.splitlines()


def test_the_web_part_is_served_alike_wherever_it_is_started():
    """Frames over the WebSocket are small; state is its owner's alone."""
    units = ROOT / "deploy" / "systemd"
    places = [ROOT / "Procfile", FILE, ROOT / "Dockerfile", units / "tarkeep-web.service"]
    for place in places:
        words = re.sub(r'[",\\\[\]]', " ", place.read_text()).split()
        served = words[words.index("backup_project.asgi:application") :]
        assert served[served.index("--ws-max-size") + 1] == "8192", place
        assert "--no-proxy-headers" in served, place
    for unit in units.glob("*.service"):
        assert "\nUMask=0077\n" in unit.read_text(), unit


def make_secrets(folder):
    script = ROOT / "deploy" / "compose-secrets.sh"
    done = subprocess.run(["sh", script, folder], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_script_writes_every_secret_once_for_the_owner_alone(tmp_path):
    folder = tmp_path / "secrets"
    assert "Keep a copy" in make_secrets(folder)
    wanted = {Path(one["file"]).name for one in COMPOSE["secrets"].values()}
    before = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(before) == wanted
    assert len(set(before.values())) == len(before)
    assert {file.stat().st_mode & 0o077 for file in (folder, *folder.iterdir())} == {0}
    assert json.loads(before["seaweedfs.json"])["identities"]
    assert before["postgres_password"] in before["database_url"]
    assert "Keep a copy" not in make_secrets(folder)
    assert before == {file.name: file.read_text() for file in folder.iterdir()}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """What `docker build` would make."""
    return build(tmp_path_factory.mktemp("image"))


def test_the_image_holds_what_runs_and_nothing_else(image):
    held = {path.name for path in image.app.iterdir()}
    assert {"backup_project", "backups_app", "worker", "manage.py"} <= held
    assert not {"tests", "bench", "launcher", "docs", "deploy", ".git", "data"} & held
    installed = {path.name.lower() for path in image.venv.glob("lib/*/site-packages/*")}
    assert {"django", "celery", "boto3"} <= installed
    assert not [name for name in installed if re.match("seaweedfs|valkey|pytest|mypy", name)]


@pytest.fixture
def container(service_on_s3, redis_url, image, tmp_path):
    """The environment that compose gives a part, with this machine's servers in it."""
    ours = environment(service_on_s3, redis_url=redis_url)
    folder = tmp_path / "secrets"
    make_secrets(folder)
    (folder / "database_url").write_text(ours["DATABASE_URL"])
    (folder / "s3_access_key").write_text(service_on_s3.storage.access_key)
    (folder / "s3_secret_key").write_text(service_on_s3.storage.secret_key)
    given = {
        name: value.replace("/run/secrets", str(folder))
        for name, value in SERVICES["web"]["environment"].items()
        if name.endswith("_FILE")
    }
    plain = dict.fromkeys((name.removesuffix("_FILE") for name in given), "")
    path = f"{image.venv}/bin{os.pathsep}{os.environ['PATH']}"
    return {**ours, **plain, **given, "PATH": path}


def answer(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as got:
            return got.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def until(true):
    end = monotonic() + PATIENCE
    while not true():
        assert monotonic() < end
        sleep(0.3)


def run(argv, env, image):
    return subprocess.run(argv, cwd=image.app, env=env, capture_output=True, text=True)


@pytest.mark.django_db(transaction=True)
def test_its_commands_make_a_service_that_is_ready_and_whose_parts_are_missed(container, image):
    migrate = SERVICES["migrate"]["command"]
    assert run([*migrate[:2], migrate[2].split(" && ")[0]], container, image).returncode == 0
    port = str(free_port())
    running = {}
    try:
        for part in PARTS:
            command = [port if word == "8000" else word for word in SERVICES[part]["command"]]
            running[part] = subprocess.Popen(
                command, cwd=image.app, env=container, start_new_session=True
            )
        until(lambda: set(PartSeen.objects.alive().values_list("part", flat=True)) == set(Part))
        until(lambda: answer(port, "/healthz") == 200)
        until(lambda: answer(port, "/readyz") == 200)
        assert "worker" not in run(["python", "manage.py", "seen"], container, image).stderr
        running["worker"].send_signal(signal.SIGTERM)
        until(lambda: not PartSeen.objects.alive().filter(part=Part.WORKER).exists())
        until(lambda: answer(port, "/readyz") == 503)
        asked = ["python", "manage.py", "seen", "--part"]
        assert run([*asked, "control"], container, image).returncode == 0
        assert "worker was not seen" in run([*asked, "worker"], container, image).stderr
    finally:
        for process in running.values():
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            process.wait()
    seen = run(["python", "manage.py", "seen"], container, image)
    assert "beat@" in seen.stdout
    log = Path(container["LOGS_PATH"], "app.log").read_text()
    assert re.search(r" INFO +\d+ - uvicorn.error: Application startup complete", log)
    assert re.search(r" INFO +\d+ - celery.beat: beat: Starting", log)


def test_systemd_takes_the_units(tmp_path):
    for file in (ROOT / "deploy" / "systemd").iterdir():
        text = file.read_text().replace("/opt/tarkeep/.venv/bin", f"{sys.prefix}/bin")
        (tmp_path / file.name).write_text(text.replace("/opt/tarkeep", str(ROOT)))
    command = ["systemd-analyze", "verify", *tmp_path.iterdir()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("part", PARTS)
def test_systemd_units_run_the_same_commands(part):
    lines = (ROOT / "deploy" / "systemd" / f"tarkeep-{part}.service").read_text().splitlines()
    unit = dict(line.split("=", 1) for line in lines if "=" in line and line[0] != "#")
    program, *words = unit["ExecStart"].removeprefix("/opt/tarkeep/.venv/bin/").split()
    words = [word.replace("%%", "%").replace("127.0.0.1", "0.0.0.0") for word in words]
    assert [program, *words] == SERVICES[part]["command"]
    grace = SERVICES[part]["stop_grace_period"]
    assert f"{unit['TimeoutStopSec']}s" == grace
    assert f"tarkeep-{part}.service" in (ROOT / "deploy/systemd/tarkeep.target").read_text()


def test_images_are_of_a_named_version_and_every_part_has_a_health_check():
    for name, one in SERVICES.items():
        version = one["image"].rpartition(":")[2]
        assert version != "latest", name
        assert one["image"] == "tarkeep" or version[0].isdigit(), name
        # Those of our own have one in the image.
        assert "healthcheck" in one or one["image"] == "tarkeep", name
        assert one.get("stop_grace_period") or name in {"migrate", "redis"}, name
