"""What every driver does alike. Docker and systemd are stand-ins here, the others are real."""

from __future__ import annotations

import pytest

from tests.engine.instances.sites import TOKEN, Site
from worker.engine.errors import InstanceError
from worker.engine.instances.driver import InstanceGone


def test_what_runs_is_found_and_nothing_else(site: Site):
    assert site.driver().running() == site.ids[:2]


def test_one_is_stopped_and_started_again(site: Site):
    driver, (one, *_) = site.driver(), site.ids
    driver.stop(one, timeout=30)
    assert site.running() == ["two"]
    assert driver.running() == site.ids[1:2]
    driver.start(one, timeout=30)
    assert site.settle(["one", "two"]) == ["one", "two"]


def test_starting_what_runs_changes_nothing(site: Site):
    driver = site.driver()
    driver.start(site.ids[0], timeout=30)
    assert site.running() == ["one", "two"]


def test_health_is_told(site: Site):
    driver = site.driver()
    assert driver.is_healthy(site.ids[0])
    assert not driver.is_healthy(site.ids[2])


@pytest.mark.parametrize("name", ["docker", "systemd", "supervisor"])
def test_managers_that_know_what_exists_say_that_it_is_gone(name: str, request):
    with pytest.raises(InstanceGone):
        request.getfixturevalue(name).driver().start("app:nobody", timeout=30)


UNREACHABLE = {
    "docker": {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
    "systemd": {"BACKUP_INSTANCE_SYSTEMD_UNITS": "x"},
    "supervisor": {"BACKUP_INSTANCE_SUPERVISOR_URL": "http://127.0.0.1:9"},
    "command": {"BACKUP_INSTANCE_STATUS_COMMAND": "/nowhere/status {id}"},
    "http": {"BACKUP_INSTANCE_HTTP_STATUS_URL": "http://127.0.0.1:9/{id}"},
}


def test_a_manager_that_cannot_be_reached_is_an_error_with_a_hint(
    site: Site, monkeypatch: pytest.MonkeyPatch
):
    driver = site.driver(**UNREACHABLE[site.settings["BACKUP_INSTANCE_DRIVER"]])
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InstanceError) as caught:
        driver.running()
    assert caught.value.hint


@pytest.mark.parametrize("name", ["commands", "gateway", "docker", "systemd"])
def test_a_stop_that_hangs_ends_after_its_time(name: str, request, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("worker.engine.instances.docker.MARGIN", 0.5)
    site = request.getfixturevalue(name)
    site.spoil("stop", site.ids[0] if name == "systemd" else "one", "hang")
    with pytest.raises(InstanceError, match="within"):
        site.driver().stop(site.ids[0], timeout=0.5)


def test_a_stubborn_program_of_supervisord_ends_the_wait_after_its_time(supervisor: Site):
    (supervisor.folder / "one.stubborn").write_text("3")
    with pytest.raises(InstanceError, match="within"):
        supervisor.driver().stop("app:one", timeout=0.5)


def test_no_secret_shows(site: Site):
    config = site.config()
    assert TOKEN not in repr(config)
    assert TOKEN not in repr(vars(site.driver()))
