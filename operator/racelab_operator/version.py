"""The one place that holds the version of the wheel."""

__version__ = "0.1.0"
