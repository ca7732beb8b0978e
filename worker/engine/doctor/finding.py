"""The shapes of what a doctor says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from worker.engine.errors import EngineError
from worker.engine.storage.capabilities import Capabilities

Level = Literal["ok", "note", "bad"]
LEVELS: Final[tuple[Level, ...]] = ("ok", "note", "bad")


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `exit_code` as in errors.py, 0 unless `bad`."""

    level: Level
    about: str
    text: str
    hint: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Report:
    findings: tuple[Finding, ...]
    capabilities: Capabilities | None

    @property
    def exit_code(self) -> int:
        return next((one.exit_code for one in self.findings if one.level == "bad"), 0)

    def as_dict(self) -> dict[str, Any]:
        """`{ok, findings, capabilities}`, as JSON has it."""
        can = self.capabilities
        return {
            "ok": self.exit_code == 0,
            "findings": [asdict(one) for one in self.findings],
            "capabilities": asdict(can) if can else None,
        }


def bad(about: str, error: EngineError) -> Finding:
    """The finding that an error makes."""
    return Finding("bad", about, error.message, error.hint, error.exit_code)
