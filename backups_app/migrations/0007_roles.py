"""The four groups. `manage.py migrate` gives them their permissions, which come after it.

Until now every account could start and restore: those that there are stay able to.
"""

from typing import Any

from django.conf import settings
from django.db import migrations

ROLES = ("viewer", "operator", "restorer", "admin")


def make_groups(apps: Any, _: Any) -> None:
    Group = apps.get_model("auth", "Group")
    groups = {name: Group.objects.get_or_create(name=name)[0] for name in ROLES}
    users = apps.get_model(*settings.AUTH_USER_MODEL.split("."))
    for user in users.objects.filter(is_superuser=False):
        user.groups.add(groups["restorer"])


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("backups_app", "0006_checks"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="job",
            options={
                "ordering": ("-created_at",),
                "permissions": (
                    ("start_job", "Can start and cancel jobs"),
                    ("keep_backup", "Can pin backups"),
                    ("restore_backup", "Can restore backups and undo that"),
                    ("download_backup", "Can download what is in backups"),
                    ("delete_backup", "Can let backups go"),
                    ("manage_tokens", "Can make and revoke API tokens"),
                ),
            },
        ),
        migrations.RunPython(make_groups, migrations.RunPython.noop),
    ]
