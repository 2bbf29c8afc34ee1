"""Accounts are not opened in a closed run; the playground gets an item and a discount code."""

from typing import Any

from django.db import migrations

from racelab_bank.databases.postgresql import DROP_OPENING_TRIGGER, OPENING_TRIGGER

# As they were when this was written: a migration does not change with the code.
ITEM_PRICE_CENTS = 100_000
CODE_USES = 1


def stock(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    run = apps.get_model("racelab_bank", "Run").objects.using(alias).get(key="playground")
    accounts = apps.get_model("racelab_bank", "Account").objects.using(alias)
    for kind, opening in (("item", ITEM_PRICE_CENTS), ("code", CODE_USES)):
        accounts.create(run=run, kind=kind, opening_cents=opening, balance_cents=opening, minimum_cents=0)


class Migration(migrations.Migration):
    # The newest migration of the bank tells that the database is ready: everything else comes before it.
    dependencies = [
        ("racelab_bank", "0004_scenarios"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(OPENING_TRIGGER, DROP_OPENING_TRIGGER),
        migrations.RunPython(stock, migrations.RunPython.noop),
    ]
