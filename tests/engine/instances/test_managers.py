"""What is particular to supervisord, systemd, commands and the gateway."""

from __future__ import annotations

import pytest

from tests.engine.instances.sites import Site
from worker.engine.errors import InstanceError
from worker.engine.instances.driver import InstanceGone


def test_one_program_of_a_group_may_be_named(supervisor: Site):
    driver = supervisor.driver(BACKUP_INSTANCE_SUPERVISOR_PROGRAMS="app:two,app:one,app:none")
    assert driver.running() == ["app:two", "app:one"]


def test_a_bare_name_is_a_program_outside_of_groups(supervisor: Site):
    driver = supervisor.driver(BACKUP_INSTANCE_SUPERVISOR_PROGRAMS="other app")
    assert driver.running() == ["other:other"]


def test_stopping_a_stopped_program_is_no_error(supervisor: Site):
    supervisor.driver().stop("app:three", timeout=10)
    assert supervisor.running() == ["one", "two"]


def test_a_wrong_password_is_told_without_it(supervisor: Site):
    driver = supervisor.driver(BACKUP_INSTANCE_SUPERVISOR_PASSWORD="not-the-one")
    with pytest.raises(InstanceError, match="401") as caught:
        driver.running()
    assert "not-the-one" not in str(caught.value.as_dict())


def test_a_program_that_cannot_be_started_is_told_in_supervisord_s_words(supervisor: Site):
    with pytest.raises(InstanceError, match=r"broken:broken.*NO_FILE"):
        supervisor.driver().start("broken:broken", timeout=10)


def test_a_unit_is_never_taken_for_an_option_of_systemctl(systemd: Site):
    with pytest.raises(InstanceGone):
        systemd.driver().start("--user", timeout=10)


def test_a_failed_job_of_systemd_is_told_in_its_words(systemd: Site):
    systemd.spoil("start", systemd.ids[2], "fail")
    with pytest.raises(InstanceError, match=r"Job for gateway@three\.service failed"):
        systemd.driver().start(systemd.ids[2], timeout=10)


def test_a_bare_unit_is_a_service(systemd: Site):
    assert systemd.driver(BACKUP_INSTANCE_SYSTEMD_UNITS="gateway@one").running() == [
        "gateway@one.service"
    ]


def test_units_come_in_the_order_given_and_once(systemd: Site):
    driver = systemd.driver(BACKUP_INSTANCE_SYSTEMD_UNITS="gateway@two.service,gateway@*.service")
    assert driver.running() == [f"gateway@{name}.service" for name in ("two", "one", "other")]


def test_a_status_command_that_breaks_is_not_taken_for_stopped(commands: Site):
    driver = commands.driver(BACKUP_INSTANCE_STATUS_COMMAND="sh -c 'exit 127' {id}")
    with pytest.raises(InstanceError, match="it ended with 127"):
        driver.running()


def test_an_id_cannot_become_more_than_one_argument(commands: Site):
    driver = commands.driver(BACKUP_INSTANCE_STATUS_COMMAND="test {id} = one")
    assert driver.running() == ["one"]
    assert not driver.is_healthy("one = one -o one")


def test_a_single_instance_needs_no_id(commands: Site):
    start = commands.settings["BACKUP_INSTANCE_START_COMMAND"].replace("{id}", "three")
    driver = commands.driver(
        BACKUP_INSTANCE_COMMAND_IDS="",
        BACKUP_INSTANCE_START_COMMAND=start,
        BACKUP_INSTANCE_STOP_COMMAND=start.replace(" start ", " stop "),
        BACKUP_INSTANCE_STATUS_COMMAND=start.replace(" start ", " status "),
    )
    assert driver.running() == []
    driver.start("instance", timeout=30)
    assert driver.running() == ["instance"]
    driver.stop("instance", timeout=30)
    assert driver.running() == []


def test_a_stop_command_that_returns_early_is_waited_for_by_the_status(commands: Site):
    (commands.folder / "one.stubborn").write_text("1")
    kill = 'sh -c \'kill $(cat "$0"/"$1".pid)\''
    driver = commands.driver(BACKUP_INSTANCE_STOP_COMMAND=f"{kill} '{commands.folder}' {{id}}")
    driver.stop("one", timeout=30)
    assert commands.running() == ["two"]


def test_the_command_s_last_words_are_told(commands: Site):
    commands.spoil("stop", "one", "fail")
    with pytest.raises(InstanceError, match="it ended with 1: no stop today"):
        commands.driver().stop("one", timeout=30)


@pytest.mark.parametrize(("kind", "status"), [("fail", "500"), ("redirect", "302")])
def test_a_gateway_that_refuses_is_an_error(gateway: Site, kind: str, status: str):
    gateway.spoil("stop", "one", kind)
    with pytest.raises(InstanceError, match=f"it answered {status}"):
        gateway.driver().stop("one", timeout=30)


def test_a_gateway_without_the_token_refuses_and_the_token_is_not_told(gateway: Site):
    driver = gateway.driver(BACKUP_INSTANCE_HTTP_TOKEN="not-the-one")
    with pytest.raises(InstanceError, match="401") as caught:
        driver.running()
    assert "not-the-one" not in str(caught.value.as_dict())


def test_a_wrong_start_address_is_not_taken_for_an_instance_that_is_gone(gateway: Site):
    wrong = gateway.settings["BACKUP_INSTANCE_HTTP_START_URL"].replace("{id}", "x{id}")
    driver = gateway.driver(BACKUP_INSTANCE_HTTP_START_URL=wrong)
    with pytest.raises(InstanceError, match="404") as caught:
        driver.start("three", timeout=30)
    assert type(caught.value) is InstanceError


def test_the_method_is_the_one_chosen(gateway: Site):
    driver = gateway.driver(BACKUP_INSTANCE_HTTP_METHOD="get")
    with pytest.raises(InstanceError, match="405"):
        driver.stop("one", timeout=30)


def test_a_status_of_503_or_404_means_stopped_and_401_means_unknown(gateway: Site):
    driver = gateway.driver(BACKUP_INSTANCE_HTTP_IDS="one,unknown")
    assert driver.running() == ["one"]
