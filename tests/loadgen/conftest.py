"""A real Caddy for the session, servers that answer as a script says, and racelab-load itself."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from bench.caddy import free_port, running_caddy, site_certificate
from loadgen.fake_auditor import TOKEN
from loadgen.scripted_server import Script, ScriptedServer
from racelab_loadgen.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Serve = Callable[[Script], ScriptedServer]
    Load = Callable[..., "Outcome"]

SITES = """
https://localhost:%(port)d {
	bind 127.0.0.1
	request_body {
		max_size 1MB
	}
	header Racelab-Replica edge
	respond /refuse `{"outcome": "refused", "reason": "the floor"}` 422
	respond /fail "upstream is gone" 502
	handle /redeem {
		# Redirects to the new page when all is right, as form pages do, and shows the form again when it is not.
		@right {
			method POST
			header Cookie sessionid=s3cret
			header Referer https://localhost/
			expression `{http.request.body} == "code=SAVE10"`
		}
		redir @right /thanks 303
		respond "the form again" 200
	}
	handle /echo {
		header Racelab-Replica "{http.request.method} {http.request.host} {http.request.body}"
		respond "echo"
	}
	handle /waiting {
		reverse_proxy http://localhost:%(plain)d {
			request_buffers 64KB
		}
	}
	handle /hasty {
		respond "I read no body"
	}
	respond `{"outcome": "applied", "entry": "e-1"}`
}
http://localhost:%(plain)d {
	bind 127.0.0.1
	respond `{"outcome": "applied", "entry": "e-1"}`
}
"""


@dataclass(frozen=True)
class Edge:
    """A running Caddy, and the certificates that it made."""

    port: int
    plain_port: int
    authority: Path
    certificate: Path
    key: Path

    def url(self, path: str = "/bank/deposit/atomic_only/") -> str:
        return f"https://localhost:{self.port}{path}"


@dataclass(frozen=True)
class Outcome:
    """What one call of racelab-load gave."""

    code: int
    out: str
    err: str
    history: list[dict[str, Any]]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.out)
        return summary

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many operations were ok, fail, info."""
        types = [line["type"] for line in self.history[:-1]]
        return types.count("ok"), types.count("fail"), types.count("info")


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("caddy")
    port, plain = free_port(), free_port()
    with running_caddy(folder, port, SITES % {"port": port, "plain": plain}) as authority:
        certificate = site_certificate(folder)
        yield Edge(port, plain, authority, certificate, certificate.with_suffix(".key"))


@pytest.fixture
def serve(edge: Edge) -> Iterator[Serve]:
    """Start scripted servers that end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(ScriptedServer(script, edge.certificate, edge.key))


@pytest.fixture
def load(edge: Edge, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Load:
    """Call `racelab-load run` in this process."""
    monkeypatch.setenv("RACELAB_TOKEN", TOKEN)

    def call(url: str, *flags: str | int, trusted: bool = True) -> Outcome:
        history = tmp_path / "history.ndjson"
        history.unlink(missing_ok=True)
        arguments = [
            "run",
            "--url",
            url,
            "--json",
            "--history",
            str(history),
            "--timeout-seconds",
            "5",
            *map(str, flags),
        ]
        code = main([*arguments, "--ca-file", str(edge.authority)] if trusted else arguments)
        out, err = capsys.readouterr()
        lines = history.read_text().splitlines() if history.exists() else []
        return Outcome(code, out, err, [json.loads(line) for line in lines])

    return call
