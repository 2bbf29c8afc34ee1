"""The standing run `playground` and its account 1: for playing, and for the clients of older systems."""

from typing import Any

from django.db import migrations


def open_playground(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    run = apps.get_model("racelab_bank", "Run").objects.using(alias).create(
        key="playground",
        scenario="playground",
        strategy="any",
        isolation="read-committed",
        opening_cents=0,
        minimum_cents=0,
        accounts=1,
        generators=0,
    )
    apps.get_model("racelab_bank", "Account").objects.using(alias).create(
        run=run, opening_cents=0, balance_cents=0, minimum_cents=0
    )


def close_playground(apps: Any, schema_editor: Any) -> None:
    run = apps.get_model("racelab_bank", "Run").objects.using(schema_editor.connection.alias)
    run.filter(key="playground").delete()


class Migration(migrations.Migration):
    dependencies = [("racelab_bank", "0002_triggers")]

    operations = [migrations.RunPython(open_playground, close_playground)]
