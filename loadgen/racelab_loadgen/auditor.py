"""Control calls to the auditor: the accounts or owners of a run, the gate, and the upload of a history."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from racelab_loadgen.errors import AuditorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from racelab_loadgen.history import History

ATTEMPTS = 5
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
# One that has answered before is starting again. The gate waits for a minute.
PATIENCE_SECONDS = 45.0
CALL_TIMEOUT_SECONDS = 10.0
UPLOAD_TIMEOUT_SECONDS = 60.0
# What a proxy in front says while the auditor starts again.
PASSING_STATUSES = frozenset({502, 503, 504})


class Stopwatch:
    """Notes when a request's first byte left and its answer's headers were here, as `perf_counter_ns`.

    Around the whole call, httpx's own time would be taken for the network's.
    """

    def __init__(self) -> None:
        self.asked_ns = self.answered_ns = 0

    async def trace(self, event: str, _info: dict[str, Any]) -> None:
        """Take one event of httpcore's trace."""
        if event.endswith("send_request_headers.started"):
            self.asked_ns = perf_counter_ns()
        elif event.endswith("receive_response_headers.complete"):
            self.answered_ns = perf_counter_ns()


class Auditor:
    """The auditor of one run. Its calls raise AuditorError; connection errors are tried again a few times.

    `patient`: whether an auditor that has answered before, and does not any more, is waited for.
    """

    def __init__(self, url: str, run: str, token: str) -> None:
        self._url = url
        self._run = f"/api/runs/{quote(run, safe='')}"
        # A Pod that takes another one's place has the same index, and must not send what that one has sent.
        self._process = uuid.uuid4().hex
        self._answered = False
        self.patient = True
        # The auditor is reached directly: a proxy of the environment is meant for the world outside.
        self._client = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=CALL_TIMEOUT_SECONDS,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Enter the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client's connections."""
        await self._client.aclose()

    async def accounts(self) -> tuple[int, ...]:
        """Ask for the ids of the run's accounts; those of one target follow each other."""
        answer = await self._call("GET", self._run)
        fields = _json(answer)
        accounts = fields.get("accounts")
        if accounts == [] and fields.get("targets"):
            raise AuditorError(
                f"{answer.url} has no accounts, but {fields['targets']} owners without one: give a --form or --body "
                "with {owner}, and without {account} and {other}"
            )
        if not isinstance(accounts, list) or not accounts or not all(isinstance(account, int) for account in accounts):
            raise AuditorError(f"{answer.url} answered without accounts: {answer.text[:200]}")
        return tuple(accounts)

    async def targets(self) -> int:
        """Ask how many targets the run was opened with."""
        answer = await self._call("GET", self._run)
        targets = _json(answer).get("targets")
        if not isinstance(targets, int) or targets < 1:
            raise AuditorError(f"{answer.url} answered without targets: {answer.text[:200]}")
        return targets

    async def ask_gate(self, generator: int) -> tuple[httpx.Response, Stopwatch]:
        """Register at the gate, or ask again; 409 is an answer like any other."""
        stopwatch = Stopwatch()
        path = f"{self._run}/gate/{generator}?process={self._process}"
        answer = await self._call("POST", path, allowed=409, extensions={"trace": stopwatch.trace})
        return answer, stopwatch

    async def upload(self, generator: int, history: History) -> None:
        """Store the history of a generator; storing it twice is harmless."""
        path = f"{self._run}/histories/{generator}"
        headers = {"Content-Type": "application/x-ndjson", "Content-Length": str(history.size_bytes)}
        await self._call("PUT", path, content=history.chunks, headers=headers, timeout=UPLOAD_TIMEOUT_SECONDS)

    async def _call(
        self, method: str, path: str, *, allowed: int = 200, content: Callable[[], Any] | None = None, **options: Any
    ) -> httpx.Response:
        """Call the auditor; `content` is called anew for every attempt."""
        began = perf_counter_ns()
        for attempt in itertools.count(1):
            last = self._is_last(attempt, began)
            try:
                body = content() if content is not None else None
                answer = await self._client.request(method, path, content=body, **options)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if last or not isinstance(error, httpx.TransportError) or isinstance(error, httpx.UnsupportedProtocol):
                    reason = str(error) or type(error).__name__
                    raise AuditorError(f"the auditor at {self._url} cannot be reached: {reason}") from error
            else:
                if answer.is_success or answer.status_code == allowed:
                    self._answered = True
                    return answer
                if last or answer.status_code not in PASSING_STATUSES:
                    raise AuditorError(_refusal(method, answer))
            await asyncio.sleep(min(PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS))
        raise AssertionError("the last attempt returns or raises")

    def _is_last(self, attempt: int, began_ns: int) -> bool:
        """Whether no attempt follows this one."""
        if attempt < ATTEMPTS:
            return False
        waited_seconds = (perf_counter_ns() - began_ns) / 1e9
        return not (self.patient and self._answered) or waited_seconds > PATIENCE_SECONDS


def _refusal(method: str, answer: httpx.Response) -> str:
    hint = "; check RACELAB_TOKEN" if answer.status_code == 401 else ""
    return f"the auditor refused {method} {answer.url}: {answer.status_code} {answer.text[:300]}{hint}"


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        fields = answer.json()
    except ValueError as error:
        raise AuditorError(f"{answer.url} answered no JSON: {answer.text[:200]}") from error
    if not isinstance(fields, dict):
        raise AuditorError(f"{answer.url} answered no JSON object: {answer.text[:200]}")
    return fields
