from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("backups_app", "0018_key_changed"),)

    operations = (
        migrations.AddField(
            model_name="job", name="passing", field=models.BooleanField(default=False)
        ),
    )
