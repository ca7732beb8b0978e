"""A stand-in for systemctl. IT IS NOT SYSTEMD, and no test here has met a running systemd.

`install(folder)` writes a program `systemctl` into FOLDER/bin that keeps each unit's state in
the file FOLDER/units/UNIT and answers as systemctl(1) describes: list-units with patterns,
is-active (0, else 3), start and stop (5 for an unknown unit). Options it does not know make it
fail. A file FOLDER/fault-VERB-UNIT holding `fail` or `hang` spoils a verb.
"""

from __future__ import annotations

import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path

KNOWN = {
    "--no-pager", "--no-ask-password", "--plain", "--no-legend", "--full", "--quiet", "--user",
    "--state=active,reloading,activating",
}  # fmt: skip


def install(folder: Path) -> Path:
    """The folder to put in front of PATH."""
    for name in ("bin", "units"):
        (folder / name).mkdir()
    program = folder / "bin" / "systemctl"
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    code += "from tests.support.fake_systemctl import main\n"
    code += f"sys.exit(main({str(folder)!r}, sys.argv[1:]))\n"
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)
    return program.parent


def main(home: str, argv: list[str]) -> int:
    folder = Path(home)
    before, after = argv[: argv.index("--")], argv[argv.index("--") + 1 :]
    words = [word for word in before if word not in KNOWN]
    if [word for word in words if word.startswith("-")]:
        print(f"systemctl: unrecognized option '{argv}'")
        return 1
    [verb], [unit] = words, after
    with (folder / "verbs.log").open("a") as log:
        print(verb, unit, file=log)
    units = {path.name: path for path in sorted((folder / "units").iterdir())}
    spoil(folder, verb, unit)
    if verb == "list-units":
        return show(units, unit)
    if unit not in units:
        print(f"Failed to {verb} {unit}: Unit {unit} not found.")
        return 5
    if verb == "is-active":
        return 0 if units[unit].read_text() == "active" else 3
    units[unit].write_text({"start": "active", "stop": "inactive"}[verb])
    return 0


def show(units: dict[str, Path], pattern: str) -> int:
    for name, path in units.items():
        if fnmatchcase(name, pattern) and path.read_text() == "active":
            print(f"{name} loaded active running The gateway's instance")
    return 0


def spoil(folder: Path, verb: str, unit: str) -> None:
    fault = folder / f"fault-{verb}-{unit}"
    kind = fault.read_text() if fault.exists() else ""
    if kind == "fail":
        print(f"Job for {unit} failed.")
        sys.exit(1)
    while kind == "hang":
        time.sleep(1)
