from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backups_app", "0009_once"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("event", models.CharField(max_length=20)),
                ("topic", models.CharField(max_length=200)),
                ("target", models.CharField(max_length=16)),
                ("title", models.CharField(max_length=200)),
                ("body", models.TextField(blank=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("WAITING", "Waiting"),
                            ("SENT", "Sent"),
                            ("GIVEN_UP", "Given Up"),
                        ],
                        default="WAITING",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("more", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("next_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("pk",),
            },
        ),
        migrations.CreateModel(
            name="OpenAlert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("plan", models.CharField(max_length=100)),
                ("code", models.CharField(max_length=50)),
                ("subject", models.CharField(blank=True, max_length=1100)),
                ("message", models.TextField()),
                ("since", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="PartSeen",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "part",
                    models.CharField(
                        choices=[
                            ("web", "Web"),
                            ("worker", "Worker"),
                            ("control", "Control"),
                            ("beat", "Beat"),
                        ],
                        max_length=10,
                    ),
                ),
                ("since", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("stopped", models.BooleanField(default=False)),
            ],
        ),
        migrations.DeleteModel(
            name="WorkerSeen",
        ),
        # Jobs from before count as told: nobody wants to hear of old ones.
        migrations.AddField(
            model_name="job",
            name="told",
            field=models.CharField(
                blank=True,
                choices=[("", "Nothing"), ("begin", "Beginning"), ("end", "End")],
                default="end",
                max_length=5,
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="told",
            field=models.CharField(
                blank=True,
                choices=[("", "Nothing"), ("begin", "Beginning"), ("end", "End")],
                default="",
                max_length=5,
            ),
        ),
        migrations.AddField(
            model_name="scheduleclock",
            name="since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("told", "end"), _negated=True), fields=["id"], name="job_untold"
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("state", "WAITING")), fields=["next_at"], name="notice_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="openalert",
            constraint=models.UniqueConstraint(
                fields=("plan", "code", "subject"), name="one_alert_at_a_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="partseen",
            constraint=models.UniqueConstraint(fields=("name", "part"), name="one_row_per_part"),
        ),
    ]
