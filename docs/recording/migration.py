"""Adds what is recorded; reversed, it takes all of it out again. Copy it as the next migration of your app."""

import socket
import uuid
from functools import partial

from django.db import migrations, models
from django.utils import timezone

_Amount = partial(models.DecimalField, max_digits=30, decimal_places=10)

# The triggers fire while the row is locked: the sequence of an account's installs is what really happened to it.
TRIGGERS = """
CREATE FUNCTION record_install() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN -- of a new row, OLD is null
    INSERT INTO recorded_install (account, old_head, new_head, old_balance, new_balance)
    VALUES (NEW.id, OLD.head, NEW.head, coalesce(OLD.balance, 0), NEW.balance); -- yours
    RETURN NULL;
END $$;
CREATE TRIGGER record_install AFTER UPDATE ON shop_wallet FOR EACH ROW -- yours
    WHEN (OLD.head <> NEW.head OR OLD.balance <> NEW.balance) EXECUTE FUNCTION record_install(); -- yours
CREATE TRIGGER record_creation AFTER INSERT ON shop_wallet FOR EACH ROW -- yours
    WHEN (NEW.balance <> 0 OR NEW.head <> '00000000-0000-0000-0000-000000000000') -- yours
    EXECUTE FUNCTION record_install();
"""

DROP_TRIGGERS = """
DROP TRIGGER record_creation ON shop_wallet; -- yours
DROP TRIGGER record_install ON shop_wallet; -- yours
DROP FUNCTION record_install();
"""


class Migration(migrations.Migration):
    """Everything in one transaction: whoever writes sees all of it or nothing."""

    dependencies = (("shop", "0001_initial"),)  # yours: the last migration before this one

    operations = (
        migrations.AddField(
            model_name="wallet",  # yours
            name="head",
            field=models.UUIDField(db_default=uuid.UUID(int=0), editable=False),
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("sequence", models.BigAutoField(primary_key=True, serialize=False)),
                ("head", models.UUIDField(default=uuid.uuid4)),
                ("leg", models.PositiveSmallIntegerField(default=0)),
                ("leg_count", models.PositiveSmallIntegerField(default=1)),
                ("account", models.BigIntegerField()),
                ("operation", models.CharField(max_length=100, blank=True)),
                ("amount", _Amount()),
                ("balance_before", _Amount(null=True)),
                ("previous", models.UUIDField(null=True)),
                ("host", models.CharField(max_length=255, default=socket.gethostname)),
                ("read_at", models.DateTimeField(default=timezone.now)),
                ("written_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"db_table": "recorded_entry"},
        ),
        migrations.CreateModel(
            name="Install",
            fields=[
                ("sequence", models.BigAutoField(primary_key=True, serialize=False)),
                ("account", models.BigIntegerField()),
                ("old_head", models.UUIDField(null=True)),
                ("new_head", models.UUIDField()),
                ("old_balance", _Amount()),
                ("new_balance", _Amount()),
            ],
            options={"db_table": "recorded_install"},
        ),
        migrations.RunSQL(TRIGGERS, DROP_TRIGGERS),
    )
