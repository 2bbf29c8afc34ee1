"""Where a running lab can be reached."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Addresses:
    """URLs, the authority that signed the edge's certificate, the control API's token, and the replicas' names.

    `prometheus_url`: of the Prometheus that scrapes the lab, where there is one.
    """

    http_url: str
    https_url: str
    auditor_url: str
    ca_file: Path
    token: str
    database_url: str
    replicas: tuple[str, ...]
    prometheus_url: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "ca_file": str(self.ca_file), "replicas": list(self.replicas)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Addresses:
        """Read what `to_json` gave."""
        return cls(**{**value, "ca_file": Path(value["ca_file"]), "replicas": tuple(value["replicas"])})
