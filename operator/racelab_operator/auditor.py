"""A client for the auditor's control API (docs/contracts.md). Every call may be repeated, so every call is retried."""

from __future__ import annotations

import time
import urllib.parse
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from racelab_operator.errors import RacelabError
from racelab_operator.observed import Accounts, Anomalies, Audit, Code, DuplicateBalances, Interleavings, Run, User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from racelab_operator.steps import Step

ATTEMPTS: Final = 4
PAUSE_SECONDS: Final = 0.1
TIMEOUT_SECONDS: Final = 60.0
LONGEST_REASON: Final = 2000

_Answer = TypeVar("_Answer")
_RUNS: Final = TypeAdapter(list[Run])


class _Codes(BaseModel):
    codes: tuple[Code, ...]


class AuditorError(RacelabError):
    """The auditor said no, or something that is no answer; asking again would not help."""


class AuditorUnreachableError(AuditorError):
    """The auditor, or the database behind it, did not answer; it may later."""


class Auditor:
    """The control API of one auditor. Not for use by several threads."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        # The control API is never reached through a proxy: trust_env off.
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_seconds, transport=transport, trust_env=False
        )
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def open_run(self, step: Step, key: str, labels: Mapping[str, str]) -> Run:
        """Open the run of a step; repeating it is harmless."""
        body = {
            "scenario": step.scenario,
            "strategy": step.strategy,
            "isolation": step.isolation,
            "accounts": step.load.accounts,
            "opening_cents": step.load.opening_cents,
            "minimum_cents": step.load.minimum_cents,
            "price_cents": step.load.price_cents,
            "generators": step.load.generators,
            "labels": dict(labels),
        }
        return self._read(Run.model_validate_json, self._ask("PUT", f"/api/runs/{key}", body))

    def run(self, key: str) -> Run | None:
        """Get a run; None when there is none."""
        answer = self._ask("GET", f"/api/runs/{key}")
        return None if answer.status_code == 404 else self._read(Run.model_validate_json, answer)

    def runs(self) -> list[Run]:
        """List the newest 100 runs."""
        return self._read(_RUNS.validate_json, self._ask("GET", "/api/runs"))

    def audit(self, key: str) -> Audit | None:
        """Get the audit of a run, live or final; None when there is no such run."""
        answer = self._ask("GET", f"/api/runs/{key}/audit")
        return None if answer.status_code == 404 else self._read(Audit.model_validate_json, answer)

    def duplicate_balances(self, key: str) -> DuplicateBalances:
        """Count the balances that were recorded again: how lost updates are found where there is no version order."""
        answer = self._ask("GET", f"/api/runs/{key}/duplicate-balances")
        return self._read(DuplicateBalances.model_validate_json, answer)

    def accounts(self, key: str, limit: int) -> Accounts:
        """List a run's accounts that have entries, those with the largest drift first."""
        answer = self._ask("GET", f"/api/runs/{key}/accounts?limit={limit}")
        return self._read(Accounts.model_validate_json, answer)

    def anomalies(self, key: str, limit: int) -> Anomalies:
        """List a run's first anomalies, each in a sentence."""
        answer = self._ask("GET", f"/api/runs/{key}/anomalies?limit={limit}")
        return self._read(Anomalies.model_validate_json, answer)

    def interleavings(self, key: str, operation: str | None, limit: int, *, drawing: bool) -> Interleavings | None:
        """Show who was lost and to whom, of one operation or of all; None when there is no such operation."""
        asked = {"limit": str(limit), "drawing": str(drawing).lower()}
        if operation is not None:
            asked["operation"] = operation
        answer = self._ask("GET", f"/api/runs/{key}/interleavings?{urllib.parse.urlencode(asked)}")
        return None if answer.status_code == 404 else self._read(Interleavings.model_validate_json, answer)

    @contextmanager
    def history(self, key: str) -> Iterator[Iterator[bytes]]:
        """Open a run's history file: its bytes, block by block. A stream that breaks off raises `AuditorError`."""
        try:
            with self._client.stream("GET", f"/api/runs/{key}/history") as answer:
                if not answer.is_success:
                    answer.read()
                self._must_succeed(answer)
                yield answer.iter_bytes()
        except httpx.TransportError as error:
            raise AuditorUnreachableError(f"the auditor at {self._client.base_url} broke off: {error}") from None

    def put_user(self, name: str, password: str, *, superuser: bool) -> User:
        """Make somebody who can log in, or set his password again."""
        path = f"/api/users/{urllib.parse.quote(name, safe='')}"
        answer = self._ask("PUT", path, {"password": password, "superuser": superuser})
        return self._read(User.model_validate_json, answer)

    def new_codes(self, count: int) -> tuple[Code, ...]:
        """Make 1 to 1000 discount codes for the playground's item; asked again after a silence, it makes others."""
        return self._read(_Codes.model_validate_json, self._ask("POST", "/api/codes", {"count": count})).codes

    def report_lost(self, key: str, generator: int, reason: str) -> None:
        """Say that a generator's history will never come; one that has come stays."""
        answer = self._ask("POST", f"/api/runs/{key}/histories/{generator}/lost", {"reason": reason[:LONGEST_REASON]})
        self._must_succeed(answer)

    def close_run(self, key: str) -> None:
        """Close a run: nothing is written on its accounts any more."""
        self._must_succeed(self._ask("POST", f"/api/runs/{key}/close"))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """Send a request, a bounded number of times while the auditor does not answer."""
        for attempt in range(ATTEMPTS):
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.TransportError as error:
                reason = str(error) or type(error).__name__
            else:
                if answer.status_code < 500:
                    return answer
                reason = f"{answer.status_code} {_detail(answer)}"
            if attempt + 1 < ATTEMPTS:
                self._sleep(PAUSE_SECONDS * 2**attempt)
        raise AuditorUnreachableError(f"the auditor at {self._client.base_url} does not answer: {reason}")

    def _read(self, parse: Callable[[bytes], _Answer], answer: httpx.Response) -> _Answer:
        self._must_succeed(answer)
        try:
            return parse(answer.content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise AuditorError(
                f"{answer.request.url} gave no answer of the contract: {place}: {first['msg']}"
            ) from None

    @staticmethod
    def _must_succeed(answer: httpx.Response) -> None:
        if answer.is_success:
            return
        request = answer.request
        raise AuditorError(f"the auditor refused {request.method} {request.url.path}: {_detail(answer)}")


def _detail(answer: httpx.Response) -> str:
    """Give the auditor's own words, else the status."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase or str(answer.status_code)
    return str(detail)
