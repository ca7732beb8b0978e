"""docs/deployment.md: what it tells to type is run as far as that goes without Docker, systemd and
a cluster; of the rest, each name that is typed must be one that there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import yaml

from tests.support.pages import ROOT, blocks, page, section

PAGE = page("deployment.md")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
KUBERNETES = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/tarkeep.yaml").read_text()))
UNITS = {path.name for path in (ROOT / "deploy" / "systemd").iterdir()}


def lines(heading: str) -> list[str]:
    typed = "".join(blocks(section(PAGE, heading))).replace("\\\n", " ")
    return [line for line in typed.splitlines() if line]


def words(line: str, program: str) -> list[str]:
    """What is typed after that program."""
    found = shlex.split(line.partition(f"{program} ")[2], comments=True)
    assert found, line
    return found


def test_what_compose_needs_is_made_by_the_commands_before_it(tmp_path):
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / ".env.example", tmp_path)
    script = [line for line in lines("Docker Compose") if "docker compose" not in line]
    subprocess.run(["sh", "-euc", "\n".join(script)], cwd=tmp_path, check=True)
    assert (tmp_path / ".env").exists()
    assert (tmp_path / "live" / "data").is_dir()
    assert (tmp_path / "secrets" / "encryption_key").read_text()


def test_compose_is_asked_for_services_and_profiles_that_there_are():
    profiles = {name for one in COMPOSE.values() for name in one.get("profiles", ())}
    verbs = set()
    for line in (line for line in lines("Docker Compose") if "docker compose" in line):
        verb, *rest = words(line, "docker compose")
        if verb == "--profile":
            assert rest[0] in profiles, line
            verb, *rest = rest[1:]
        verbs.add(verb)
        names = [word for word in rest if not word.startswith("-")]
        if verb in {"exec", "logs"}:
            assert names[0] in COMPOSE, line
        if verb == "exec":
            assert names[1] in {"tarkeep", "python", "weed"}, line
    assert verbs == {"up", "logs", "exec"}


def test_systemd_is_asked_for_units_that_there_are():
    for text in (PAGE, page("several-machines.md")):
        for line in re.findall(r"systemctl (?:enable --now|restart) (\S+?)[`\s]", text):
            assert line in UNITS, line
    typed = "\n".join(lines("systemd"))
    assert set(re.findall(r"manage\.py (\w+)", typed)) == {"migrate", "create_first_admin"}
    assert re.findall(r"make (\w+)", typed) == ["install"]
    home = re.search(r"git clone \S+ (\S+)", typed)[1]
    for unit in UNITS - {name for name in UNITS if name.endswith(".target")}:
        text = (ROOT / "deploy" / "systemd" / unit).read_text()
        assert f"WorkingDirectory={home}\n" in text
        assert "User=tarkeep\n" in text
    assert "useradd --system" in typed


def test_a_further_machine_runs_worker_and_control_by_its_own_target():
    target = (ROOT / "deploy/systemd/tarkeep-machine.target").read_text()
    wanted = re.search(r"^Wants=(.*)$", target, re.MULTILINE)[1].split()
    assert wanted == ["tarkeep-worker.service", "tarkeep-control.service"]
    for unit in UNITS - {name for name in UNITS if name.endswith(".target")}:
        text = (ROOT / "deploy" / "systemd" / unit).read_text()
        stopped_with = re.search(r"^PartOf=(.*)$", text, re.MULTILINE)[1].split()
        both = ["tarkeep.target", "tarkeep-machine.target"]
        assert stopped_with == (both if unit in wanted else ["tarkeep.target"])


def test_the_cluster_gets_every_secret_that_the_pod_asks_for():
    make, apply, logs = lines("Kubernetes")
    given = dict(re.findall(r"--from-literal=(\w+)=(\S+)", make))
    (pod,) = [one for one in KUBERNETES if one["kind"] == "Deployment"]
    spec = pod["spec"]["template"]["spec"]
    containers = [*spec["initContainers"], *spec["containers"]]
    name = words(make, "kubectl")[3]
    asked = [one["secretRef"]["name"] for c in containers for one in c.get("envFrom", ())
             if "secretRef" in one]  # fmt: skip
    assert set(asked) == {name}
    assert set(given) == {
        "BACKUP_S3_ACCESS_KEY", "BACKUP_S3_SECRET_KEY", "BACKUP_ENCRYPTION_KEY",
        "TARKEEP_SECRET_KEY",
    }  # fmt: skip
    assert (ROOT / words(apply, "kubectl apply -f")[0]).exists()
    what, _, container = words(logs, "kubectl logs")
    assert what == f"deployment/{pod['metadata']['name']}"
    assert container in {one["name"] for one in containers}
