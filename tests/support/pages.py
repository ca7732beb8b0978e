"""The documentation's pages, taken apart: their sections, and what they tell to type."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    """README.md, or a page of docs/."""
    return (ROOT / name if name == "README.md" else ROOT / "docs" / name).read_text()


def section(text: str, heading: str) -> str:
    """What stands below that heading, up to the next one of its rank."""
    pattern = rf"^(#+) {re.escape(heading)}\n(.*?)(?=^\1 |\Z)"
    ((_, found),) = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return str(found)


def blocks(text: str, language: str = "sh") -> list[str]:
    """Each block of shell commands, in order; of a list's too."""
    pattern = rf"^( *)```{language}\n(.*?)^\1```$"
    found = [dedent(one) for _, one in re.findall(pattern, text, re.MULTILINE | re.DOTALL)]
    assert found
    return found


def commands(text: str, heading: str) -> str:
    """All that a section tells to type, as one script."""
    return "".join(blocks(section(text, heading)))
