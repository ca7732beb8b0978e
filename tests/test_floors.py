"""Packages with known faults are not pinned."""

import pytest

from scripts.check_floors import below, main


def test_what_is_pinned_is_at_or_above_its_floor(capsys):
    assert main() == 0
    assert "at or above" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pinned", "told"),
    [
        ("django==5.2.8 \\\n    --hash=x", []),
        ("django==5.2.19", []),
        ("Django==5.2.7", ["django 5.2.7 is below django>=5.2.8"]),
        ("django==5.2.8\nDJANGO==4.2", ["django 4.2 is below django>=5.2.8"]),
        ("other==1", ["django is not pinned: take its floor away"]),
        ("django[argon2]==5.2.7 ; python_version > '3'", ["django 5.2.7 is below django>=5.2.8"]),
    ],
)
def test_what_is_below_is_named(pinned, told):
    assert below(pinned, "# comment\ndjango>=5.2.8  # CVE\n") == told
