"""deploy/kubernetes: the manifests follow the schemas, and run what compose runs."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from worker.engine.settings import VARIABLES, read_settings

ROOT = Path(__file__).parents[1]
MANIFESTS = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/tarkeep.yaml").read_text()))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
VERSION = "1.30"


def of_kind(kind):
    (found,) = [one for one in MANIFESTS if one["kind"] == kind]
    return found


POD = of_kind("Deployment")["spec"]["template"]["spec"]
CONTAINERS = {one["name"]: one for one in POD["containers"]}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one["kind"])
def test_each_manifest_follows_its_schema(manifest):
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_that_check_finds_what_is_wrong():
    wrong = of_kind("Service") | {"spec": {"portz": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_parts_run_the_commands_of_compose():
    for part in ("worker", "control", "beat"):
        assert CONTAINERS[part]["command"] == COMPOSE[part]["command"]
    assert "command" not in CONTAINERS["web"]  # the image's own, as in compose
    (migrate,) = POD["initContainers"]
    assert migrate["command"] == COMPOSE["migrate"]["command"]


def test_its_settings_are_right_once_the_secret_brings_the_keys(tmp_path):
    given = of_kind("ConfigMap")["data"]
    assert set(given) <= {variable.name for variable in VARIABLES} | {
        "TARKEEP_ALLOWED_HOSTS", "TARKEEP_TRUSTED_ORIGINS",
    }  # fmt: skip
    keys = {"BACKUP_S3_ACCESS_KEY": "a", "BACKUP_S3_SECRET_KEY": "s" * 40}
    assert read_settings(given | keys, base_dir=tmp_path).problems == ()


def test_two_pods_never_work_at_once_and_a_backup_has_time_to_be_put_back():
    spec = of_kind("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    grace = int(COMPOSE["worker"]["stop_grace_period"].removesuffix("s"))
    assert POD["terminationGracePeriodSeconds"] > grace
