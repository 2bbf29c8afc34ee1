"""The client of the /hesap system: 10 threads, each 100 posts of 20, to the naive, the locked and the F() endpoint."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Final
from urllib.parse import urlencode, urlsplit

THREADS: Final = 10
POSTS: Final = 100
AMOUNT: Final = 20
PATHS: Final = ("/hesap", "/hesap/kilit", "/hesap/f")

#: What the author of that system measured, in seconds.
AUTHOR_SECONDS: Final = {"/hesap": 45, "/hesap/kilit": 88, "/hesap/f": 45}


def seconds(url: str, path: str, owner: int) -> float:
    """Post everything to one path, all threads at once; return how long it took. Raises `RuntimeError` for an error."""
    parts = urlsplit(url)
    body = urlencode({"sahip": owner, "artim": AMOUNT})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    together = threading.Barrier(THREADS + 1)
    errors: list[str] = []

    def client() -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        together.wait()
        for _ in range(POSTS):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != http.client.OK:
                errors.append(f"{answer.status} {said!r}")
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    together.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise RuntimeError(f"{path}: {len(errors)} errors, the first {errors[0]}")
    return time.perf_counter() - began
