"""Wrong settings as Django system checks: each named, with an id and what to do about it.

The id is `tarkeep.` and the variable's name. `manage.py check` fails on them; the web part
comes up all the same and shows them, since a server takes no notice of checks.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register("tarkeep")
def settings_are_right(**_: Any) -> list[CheckMessage]:
    return [
        Error(problem.message, hint=problem.hint, id=f"tarkeep.{problem.variable}")
        for problem in settings.TARKEEP.problems
    ]
