"""What the other programs must know about the bank, as one value."""

import os
from typing import Any


def catalog() -> dict[str, Any]:
    """Return the catalog of docs/contracts.md. Needs no database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")
    import django  # noqa: PLC0415 - models need configured settings

    django.setup()
    from racelab_bank import form, scenarios, strategies  # noqa: PLC0415 - models need configured settings
    from racelab_bank.claims import ISOLATIONS  # noqa: PLC0415

    return {
        "isolations": list(ISOLATIONS),
        "maximum_window_milliseconds": form.MAXIMUM_WINDOW_MILLISECONDS,
        "scenarios": scenarios.catalog(),
        "strategies": strategies.catalog(scenarios.scenarios()),
    }
