"""Docker's driver against a stand-in that keeps to the published API (`docker_contract.py`).

No real engine was at hand where this was written: what is shown here is that the driver and
the documented contract agree, not that the driver and Docker do.
"""

from __future__ import annotations

import pytest

from tests.engine.instances.sites import DockerSite
from tests.support.docker_engine import Container
from worker.engine.errors import InstanceError
from worker.engine.instances import docker as docker_module

PROJECT = "com.docker.compose.project"


def test_the_engine_s_own_api_version_is_asked_for(docker: DockerSite):
    docker.driver().running()
    assert docker.engine.calls[0].startswith("GET /v1.44/containers/json?filters=")


def test_the_container_made_last_comes_first(docker: DockerSite):
    assert docker.driver().running() == ["app-one", "app-two"]
    docker.engine.containers["app-two"].created = 500
    assert docker.driver().running() == ["app-two", "app-one"]


def test_a_compose_project_is_stopped_as_a_whole_but_for_those_that_say_no(docker: DockerSite):
    add(docker, Container("shop-web", 2, {PROJECT: "shop"}))
    add(docker, Container("shop-db", 1, {PROJECT: "shop"}))
    add(docker, Container("shop-tarkeep", 3, {PROJECT: "shop", "tarkeep.stop": "False"}))
    driver = docker.driver(BACKUP_INSTANCE_DOCKER_PROJECT="shop")
    assert driver.running() == ["shop-web", "shop-db"]


def test_another_label_may_be_chosen(docker: DockerSite):
    add(docker, Container("labelled", 1, {"role": "app"}))
    assert docker.driver(BACKUP_INSTANCE_DOCKER_LABEL="role=app").running() == ["labelled"]


def test_a_paused_container_is_not_running_and_is_resumed_when_it_was_us(docker: DockerSite):
    driver = docker.driver(BACKUP_INSTANCE_DOCKER_ACTION="pause")
    driver.stop("app-one", timeout=5)
    assert docker.engine.containers["app-one"].status == "paused"
    assert driver.running() == ["app-two"]
    docker.driver().start("app-one", timeout=5)  # whatever is configured by then
    assert docker.running() == ["one", "two"]


def test_never_the_container_we_run_in(docker: DockerSite, monkeypatch: pytest.MonkeyPatch):
    own = docker.engine.containers["app-one"]
    own.id = "abcdef012345" + "0" * 52
    monkeypatch.setattr(docker_module.socket, "gethostname", lambda: "abcdef012345")
    assert docker.driver().running() == ["app-two"]


@pytest.mark.parametrize(
    ("mount", "found"),
    [
        ("12 1 8:1 /var/lib/docker/containers/{id}/hostname /etc/hostname rw - ext4 /dev/sda", 1),
        ("12 1 0:5 / /var/lib/docker/containers/{id}/mounts/shm rw - tmpfs shm", 2),
    ],
    ids=["mounted-into-us", "seen-by-the-engine-s-host"],
)
def test_our_own_mounts_tell_which_container_we_are(
    docker: DockerSite, monkeypatch: pytest.MonkeyPatch, tmp_path, mount: str, found: int
):
    own = docker.engine.containers["app-one"]
    own.id = "b" * 64
    table = tmp_path / "mountinfo"
    table.write_text(mount.format(id=own.id) + "\n")
    monkeypatch.setattr(docker_module, "Path", lambda _: table)
    assert len(docker.driver().running()) == found


def test_an_engine_that_refuses_is_quoted(docker: DockerSite):
    docker.engine.faults["start", "app-three"] = 500
    with pytest.raises(InstanceError, match="500: cannot start container: app-three: it is stuck"):
        docker.driver().start("app-three", timeout=5)


def test_a_strange_answer_is_an_error(docker: DockerSite):
    docker.engine.faults["start", "app-three"] = 302
    with pytest.raises(InstanceError, match="302"):
        docker.driver().start("app-three", timeout=5)


def test_health_is_the_container_s_own_where_it_has_one(docker: DockerSite):
    driver = docker.driver()
    for health, well in (("starting", False), ("unhealthy", False), ("healthy", True)):
        docker.engine.containers["app-one"].health = health
        assert driver.is_healthy("app-one") is well


@pytest.mark.parametrize(
    "call",
    [
        ("POST", "/v1.44/containers/app-one/stop?timeout=5"),
        ("GET", "/v1.44/containers/app-one/start"),
        ("GET", '/v1.44/containers/json?filters={"state":["running"]}'),
    ],
)
def test_a_call_that_is_not_in_the_reference_would_be_noticed(docker: DockerSite, call):
    assert docker.engine.checked(*call)[0] == 599


def add(docker: DockerSite, container: Container) -> None:
    container.id = f"{len(docker.engine.containers):064x}"
    docker.engine.containers[container.name] = container
