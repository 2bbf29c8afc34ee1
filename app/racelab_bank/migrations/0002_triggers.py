"""The triggers that record the version order and keep the ledger append-only."""

from django.db import migrations

from racelab_bank.databases.postgresql import DROP_TRIGGERS, TRIGGERS


class Migration(migrations.Migration):
    dependencies = [("racelab_bank", "0001_ledger")]

    operations = [migrations.RunSQL(TRIGGERS, DROP_TRIGGERS)]
