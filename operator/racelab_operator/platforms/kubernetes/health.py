"""Whether the operator is alive: its event loop beats, its sweep turns, and so does every experiment that is active."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# A turn waits for the auditor (4 × 10 s) and for the API server (some times 10 s) at most.
PATIENCE_SECONDS: Final = 150


class Health:
    """Notes when each part last turned, errors and idle turns included. For use by several threads."""

    def __init__(self, parts: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        now = clock()
        self._turned = dict.fromkeys(parts, now)

    def turned(self, part: str) -> None:
        """Note that a part has turned; a new part is watched from now on."""
        with self._lock:
            self._turned[part] = self._clock()

    def watch_only(self, experiments: Iterable[str], parts: Iterable[str]) -> None:
        """Watch these experiments, from now on where they are new, and forget those that have ended."""
        with self._lock:
            now = self._clock()
            self._turned = {part: self._turned.get(part, now) for part in (*parts, *experiments)}

    def problem(self) -> str | None:
        """Say what stands still; None when nothing does."""
        with self._lock:
            now = self._clock()
            still = {part: now - at for part, at in self._turned.items() if now - at > PATIENCE_SECONDS}
        return "; ".join(f"{part} has not turned for {seconds:.0f} s" for part, seconds in still.items()) or None
