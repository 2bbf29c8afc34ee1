"""A generator's place at the gate belongs to one process."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("racelab_bank", "0005_playground_shop")]

    operations = [
        migrations.AddField("generator", "process", models.CharField(default="", max_length=64)),
    ]
