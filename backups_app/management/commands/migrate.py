"""Django's `migrate`, which here does not refuse to work because a backup setting is wrong.

The web part must come up with wrong settings to show them, and it needs its tables for that.
"""

from __future__ import annotations

from typing import Any

from django.core.checks import Tags
from django.core.management.commands.migrate import Command as Migrate


class Command(Migrate):
    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """The checks of models and database alone."""
        return {**super().get_check_kwargs(options), "tags": [Tags.database, Tags.models]}
