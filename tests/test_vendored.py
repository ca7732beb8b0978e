"""Libraries of others lie in the tree unchanged, with their licences."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "backups_app/static/backups_app/js/vendor"


def test_each_vendored_file_is_the_published_one_and_has_its_licence_beside_it():
    told = dict(
        re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (VENDOR / "README.md").read_text(), re.M)
    )
    found = {path.name for path in VENDOR.iterdir() if path.suffix in {".js", ".css"}}
    assert set(told) == found
    for name, checksum in told.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == checksum, name
        licence = VENDOR / f"{name.rpartition('.')[0]}.LICENSE"
        assert "Permission" in licence.read_text() or "Apache" in licence.read_text()
