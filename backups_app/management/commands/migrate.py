"""Django's `migrate`, which here does not refuse to work because a backup setting is wrong.

The web part must come up with wrong settings to show them, and it needs its tables for that.
Afterwards it puts the groups right that stand for roles.
"""

from __future__ import annotations

from typing import Any

from django.core.checks import Tags
from django.core.management.commands.migrate import Command as Migrate
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor

from backups_app.groups import write_roles


class Command(Migrate):
    help = "Brings the tables up to date, with wrong settings too: Django's own command."

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """The checks of models and database alone."""
        return {**super().get_check_kwargs(options), "tags": [Tags.database, Tags.models]}

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options.get("database") == DEFAULT_DB_ALIAS and _all_applied():
            write_roles()


def _all_applied() -> bool:
    """Permissions are written once every table is there: not with --plan or --check, nor on the
    way back to an older version."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
