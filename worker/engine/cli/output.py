"""What `tarkeep` prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from worker.engine.errors import EngineError


@dataclass(frozen=True)
class Output:
    """`json` makes results and errors machine-readable; `quiet` hides progress."""

    json: bool
    quiet: bool
    console: Console = field(
        default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True)
    )
    _stdout: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))

    def result(self, data: dict[str, Any], text: str) -> None:
        out = json_module.dumps(data, indent=2) if self.json else text
        self._stdout.print(out, markup=False)

    def warning(self, text: str) -> None:
        self.console.print(f"warning: {text}", style="yellow", markup=False)

    def error(self, error: EngineError) -> None:
        if self.json:
            self._stdout.print(json_module.dumps({"error": error.as_dict()}), markup=False)
            return
        self.console.print(f"error: {error.message}", style="red", markup=False)
        if error.hint:
            self.console.print(error.hint, markup=False)

    def ask(self, question: str) -> str:
        return self.console.input(question, markup=False).strip().lower()
