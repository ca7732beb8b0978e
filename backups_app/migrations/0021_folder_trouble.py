from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("backups_app", "0020_trouble_count"),
    ]

    operations = [
        migrations.RenameModel("KeptCopy", "FolderTrouble"),
        migrations.AlterField(
            model_name="foldertrouble",
            name="path",
            field=models.CharField(blank=True, max_length=4096),
        ),
    ]
