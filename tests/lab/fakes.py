"""Small stand-ins for the bank, the auditor and the load generator, with their command lines; standard library only.

A request to `/hold/NAME` answers once the file NAME.go exists in the folder of HOLD_DIRECTORY; NAME.begun tells that
it is in flight. `/drop` ends the connection without an answer and adds a line to NAME.dropped.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def handler_for(name: str) -> type[BaseHTTPRequestHandler]:
    hold = Path(os.environ.get("HOLD_DIRECTORY", "."))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path.startswith("/hold/"):
                begun = hold / f"{self.path[6:]}.begun"
                begun.touch()
                while not begun.with_suffix(".go").exists():
                    time.sleep(0.005)
            if self.path.startswith("/drop"):
                with (hold / "dropped").open("a", encoding="ascii") as file:
                    file.write(f"{self.command} {name}\n")
                self.close_connection = True
                return
            body = name.encode()
            self.send_response(200)
            self.send_header("Racelab-Replica", name)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the standard library's name
        do_PUT = do_GET  # noqa: N815  the same

        def address_string(self) -> str:
            return "peer"

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        path = str(self.server_address)
        Path(path).unlink(missing_ok=True)
        self.socket.bind(path)
        self.server_name, self.server_port = "unix", 0

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = self.socket.accept()
        return connection, ("unix", 0)


def serve(*servers: ThreadingHTTPServer) -> None:
    """Serve until SIGTERM, then answer what is in flight."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,)) for server in servers]
    for thread in threads:
        thread.start()
    end.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


def tcp(bind: str, name: str) -> Server:
    host, port = bind.rsplit(":", 1)
    return Server((host, int(port)), handler_for(name))


def main(arguments: list[str]) -> int:
    program = arguments.pop(0)
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--fail", default="")
    parser.add_argument("--bind", default="")
    parser.add_argument("--metrics-bind")
    parser.add_argument("--replica", default="auditor")
    parser.add_argument("--workers")
    parser.add_argument("--threads")
    parser.add_argument("--exit", type=int, default=None)
    given = parser.parse_args(arguments)
    if given.fail:
        print(given.fail, file=sys.stderr)
        return 7
    if program == "load":
        if given.exit is not None:
            print(f"last words, token {'given' if os.environ.get('RACELAB_TOKEN') else 'missing'}", file=sys.stderr)
            return int(given.exit)
        end = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: end.set())
        print("sending", flush=True)
        end.wait()
        return 0
    if program == "auditor":
        serve(tcp(given.bind, "auditor"))
    else:
        path = given.bind.removeprefix("unix:")
        serve(UnixServer(path, handler_for(given.replica)), tcp(given.metrics_bind, given.replica))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
