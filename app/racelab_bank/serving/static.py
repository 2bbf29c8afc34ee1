"""The Django admin's styles and scripts, from where Django is installed: nothing is collected or copied."""

from pathlib import Path
from typing import Any

from whitenoise import WhiteNoise


def with_admin_files(application: Any) -> Any:
    """Answer what lies under `STATIC_URL`, and hand everything else to the application."""
    from django.conf import settings  # noqa: PLC0415 - reads the environment
    from django.contrib import admin  # noqa: PLC0415 - needs configured settings

    return WhiteNoise(application, root=Path(admin.__file__).parent / "static", prefix=settings.STATIC_URL)
