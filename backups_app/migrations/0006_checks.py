from django.db import migrations, models

KINDS = [
    ("backup", "Backup"),
    ("restore", "Restore"),
    ("verify", "Verify"),
    ("undo", "Undo"),
    ("drill", "Drill"),
]


class Migration(migrations.Migration):
    dependencies = [("backups_app", "0005_undo")]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=10),
        ),
        migrations.AlterField(
            model_name="job",
            name="trigger",
            field=models.CharField(
                choices=[
                    ("manual", "Manual"),
                    ("schedule", "Schedule"),
                    ("api", "Api"),
                    ("admin", "Admin"),
                    ("cli", "Cli"),
                    ("import", "Import"),
                ],
                max_length=10,
            ),
        ),
        migrations.RemoveConstraint(model_name="job", name="one_job_per_slot"),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                fields=("plan", "kind", "slot"), name="one_job_per_slot"
            ),
        ),
        migrations.AddField(
            model_name="bucketsummary", name="gone", field=models.JSONField(default=list)
        ),
        migrations.AddField(
            model_name="bucketsummary", name="alarm", field=models.JSONField(default=dict)
        ),
        # It starts anew: a clock says only from when on slots are looked for.
        migrations.DeleteModel(name="ScheduleClock"),
        migrations.CreateModel(
            name="ScheduleClock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("plan", models.CharField(max_length=100)),
                ("kind", models.CharField(choices=KINDS, max_length=10)),
                ("line", models.CharField(max_length=200)),
                ("zone", models.CharField(max_length=100)),
                ("until", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("plan", "kind"), name="one_clock_per_kind")
                ]
            },
        ),
    ]
