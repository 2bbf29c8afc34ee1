"""The auditor's API as its callers use it."""

import json
from typing import Any

from django.test import Client

BODY = {
    "scenario": "deposit",
    "strategy": "atomic_only",
    "isolation": "read-committed",
    "accounts": 2,
    "opening_cents": 1000,
    "minimum_cents": 0,
    "generators": 2,
    "labels": {"experiment": "test"},
}


class Api:
    """The API with its token."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def put(self, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return self._client.put(f"/api/{path}", data, content_type=content_type, headers=self._token)

    def post(self, path: str, body: Any = None) -> Any:
        data = json.dumps(body) if body is not None else ""
        return self._client.post(f"/api/{path}", data, content_type="application/json", headers=self._token)

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/{path}", headers=self._token)

    _token = {"Authorization": "Bearer test-token"}  # noqa: RUF012
