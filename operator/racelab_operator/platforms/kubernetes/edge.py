"""Asking the edge who answers: a replica counts once requests reach it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final, Self

import httpx

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

REPLICA_HEADER: Final = "Racelab-Replica"
TIMEOUT_SECONDS: Final = 3


class EdgeProbe:
    """Sends harmless requests through the edge. Each has a connection of its own, as the edge may run several times."""

    def __init__(self, url: str, ca_file: Path) -> None:
        # The edge is never reached through a proxy: trust_env off.
        self._client = httpx.Client(
            base_url=url,
            verify=ssl.create_default_context(cafile=ca_file),
            timeout=TIMEOUT_SECONDS,
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    def replicas(self, expected: int) -> frozenset[str]:
        """Name the replicas that answer: each of the expected ones had more than two turns.

        Empty when one of the requests was not answered by a replica.
        """
        seen = set()
        for _ in range(2 * expected + 1):
            try:
                answer = self._client.get("/")
            except httpx.TransportError:
                return frozenset()
            if not answer.is_success or REPLICA_HEADER not in answer.headers:
                return frozenset()
            seen.add(answer.headers[REPLICA_HEADER])
        return frozenset(seen)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
