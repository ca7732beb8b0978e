"""axe-core, which looks for what keeps people with disabilities out: fetched from npm when tests
need it, into a folder of this one that is never committed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

VERSION = "4.14.1"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
FOLDER = Path(__file__).parent / ".axe"
SCRIPT = FOLDER / "node_modules" / "axe-core" / "axe.min.js"


def source() -> str:
    """The script's text; installed first where it is not there yet."""
    if not SCRIPT.exists():
        install()
    script = SCRIPT.read_bytes()
    assert hashlib.sha256(script).hexdigest() == SHA256, f"{SCRIPT} is not axe-core {VERSION}"
    return script.decode()


def install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        why = "no npm to fetch axe-core with (apt install npm)"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    FOLDER.mkdir(exist_ok=True)
    command = [npm, "install", "--no-save", "--ignore-scripts", "--silent", f"axe-core@{VERSION}"]
    subprocess.run([*command, "--prefix", str(FOLDER)], check=True, timeout=120)


def complaints(page: Page) -> list[str]:
    """What axe finds on the page as it is now: rule, place and why. Evaluated, not inserted: the
    page's content security policy stays as it is."""
    page.evaluate(source())
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]
