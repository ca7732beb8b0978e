"""Plans: what a row lays over the environment, and which plans must not both be."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError

from backups_app import plans
from backups_app.models import Plan
from worker.engine.errors import ConfigError
from worker.engine.settings import read_settings

pytestmark = pytest.mark.django_db


def made(**fields):
    given = {"name": "media", "host": "web2", "data_dir": "/srv/media", **fields}
    plan = Plan(**given)
    plan.full_clean()
    plan.save()
    return plan


def complaints(**fields):
    with pytest.raises(ValidationError) as refused:
        made(**fields)
    return refused.value.message_dict


def test_without_a_name_the_plan_is_that_of_the_environment(service):
    assert plans.settings_of("default") == service
    assert [one.plan.plan for one in plans.all_settings()] == ["default"]


def test_a_plan_lies_over_the_environment(service):
    made(schedule="@hourly", max_backups=9, exclude="*.log\ntmp/", instance_driver="docker")
    found = plans.settings_of("media")
    assert (found.plan.plan, found.plan.host) == ("media", "web2")
    assert found.plan.data_dir == Path("/srv/media")
    assert found.plan.exclude == ("*.log", "tmp/")
    assert found.plan.instances.drivers == ("docker",)
    assert (found.schedule, found.plan.max_backups) == ("0 * * * *", 9)
    assert found.storage == service.storage
    assert found.plan.temp_dir != service.plan.temp_dir


def test_what_is_left_empty_is_filled_in_once(service, settings):
    made()
    moved = replace(service.plan, prefix="elsewhere/", name="other")
    settings.TARKEEP = replace(service, plan=moved, timezone="UTC")
    found = plans.settings_of("media")
    assert (found.plan.prefix, found.plan.name) == ("backups/media/", "whatsapp-data-backup")
    assert found.timezone == found.plan.timezone == service.timezone


@pytest.mark.parametrize(
    ("chosen", "driver", "stops"),
    [("", "docker", True), ("", "", False), ("false", "docker", False), ("true", "", True)],
)
def test_a_restore_stops_what_the_plans_own_driver_can_stop(
    service, settings, chosen, driver, stops
):
    read = read_settings({"BACKUP_RESTORE_STOP_INSTANCES": chosen}).plan.restore
    settings.TARKEEP = replace(service, plan=replace(service.plan, restore=read))
    made(instance_driver=driver)
    assert plans.settings_of("media").plan.restore.stop_instances is stops


def test_the_top_of_the_bucket_stays_a_plans_place_when_it_is_changed(service):
    plan = made(prefix="/", backup_name="media")
    assert plans.settings_of("media").plan.prefix == ""
    plan.max_backups = 9
    plan.full_clean()
    plan.save()
    assert plans.settings_of("media").plan.prefix == ""
    ours = replace(service.plan, prefix="", name="media")
    assert "media" in complaints(name="two", prefix="/", backup_name=ours.name)["prefix"][0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "default"),
        ("name", "With Blanks"),
        ("host", "web_2"),
        ("data_dir", "srv/media"),
        ("schedule", "every day"),
        ("timezone", "Mars/North"),
        ("prefix", "../up/"),
        ("backup_name", "UPPER"),
        ("exclude", "!"),
        ("instance_driver", "magic"),
        ("max_backups", 0),
        ("compression_level", 10),
    ],
)
def test_an_odd_value_is_refused_by_its_field(service, field, value):
    assert list(complaints(**{field: value})) == [field]


def test_two_plans_never_write_into_one_series(service):
    made(prefix="media/", backup_name="m")
    assert list(complaints(name="two", host="web3", prefix="media", backup_name="m")) == ["prefix"]
    ours = {"prefix": service.plan.prefix, "backup_name": service.plan.name}
    assert "default" in complaints(name="three", host="web3", **ours)["prefix"][0]


@pytest.mark.parametrize("folder", ["/srv/media", "/srv", "/srv/media/2025", "/srv/x/../media"])
def test_data_folders_of_one_machine_lie_apart(service, folder):
    made()
    assert list(complaints(name="two", data_dir=folder)) == ["data_dir"]
    made(name="elsewhere", host="web3", data_dir=folder)


def test_the_folder_of_the_environment_is_taken_too(service):
    inside = service.plan.data_dir / "inside"
    assert list(complaints(host="main", data_dir=str(inside))) == ["data_dir"]


def test_a_plan_may_be_changed_without_clashing_with_itself(service):
    plan = made()
    plan.max_backups = 5
    plan.full_clean()


def test_an_environment_that_came_to_clash_later_is_a_problem(service, settings):
    made(prefix="new/", backup_name=service.plan.name)
    moved = replace(service.plan, prefix="new/")
    settings.TARKEEP = replace(service, plan=moved)
    (problem,) = plans.settings_of("default").problems
    assert problem.variable == "BACKUP_PREFIX"
    assert "media" in problem.message


def test_on_another_machine_the_environment_is_no_plan(service, settings):
    made()
    settings.TARKEEP = replace(service, host="web2")
    with pytest.raises(ConfigError, match="belongs to main"):
        plans.settings_of("default")
    assert [one.plan.plan for one in plans.served()] == ["media"]


def test_a_plan_that_is_not_there_is_named(service):
    with pytest.raises(plans.NoSuchPlan, match="'nothing'"):
        plans.settings_of("nothing")
