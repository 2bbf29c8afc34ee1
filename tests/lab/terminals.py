"""The command `racelab` on a terminal of its own, of a size of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

from cluster.commands import Terminal, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

END_SECONDS = 90
NOTHING: Mapping[str, str] = {}
_MOVE = re.compile(r"\x1b\[(\d*)A|\x1b\[2K|\x1b\[H|\x1b\[[0-9;?]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+")


@contextlib.contextmanager
def on_terminal(
    *arguments: str, columns: int = 100, rows: int = 24, changes: Mapping[str, str] = NOTHING
) -> Iterator[Terminal]:
    """Start `racelab` with these arguments; `changes` of the environment."""
    near, far = pty.openpty()
    fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    # Keys like Ctrl-C are signals for those whose terminal it is, and who do not ignore them as background jobs do.
    argv = ["env", "--default-signal", "setsid", "--ctty", sys.executable, "-m", "racelab_operator", *arguments]
    own = environment(**({"TERM": "xterm-256color", "LANG": "C.UTF-8"} | dict(changes)))
    for name in ("COLUMNS", "LINES", "NO_COLOR", "LC_ALL"):
        if name not in changes:
            own.pop(name, None)
    with subprocess.Popen(argv, stdin=far, stdout=far, stderr=far, env=own) as process:
        os.close(far)
        try:
            yield Terminal(process, near, time.monotonic() + END_SECONDS)
        finally:
            if process.poll() is None:
                process.terminate()
            os.close(near)  # hangs up


def settings(terminal: Terminal) -> list[object]:
    """Give what the terminal does with keys and characters."""
    return list(termios.tcgetattr(terminal.file))


def picture(raw: bytes) -> list[str]:
    """Give what a terminal that was sent this shows, and what has scrolled away above: its lines.

    It knows the moves that tables are drawn with: to the line's begin, up, home, and erasing a line.
    """
    lines, row, column = [""], 0, 0
    for found in _MOVE.finditer(raw.decode(errors="replace")):
        told = found.group()
        if told == "\r":
            column = 0
        elif told == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif told == "\x1b[2K":
            lines[row] = ""
        elif told == "\x1b[H":
            row, column = 0, 0
        elif found.group(1) is not None:
            row = max(0, row - int(found.group(1) or 1))
        elif not told.startswith("\x1b"):
            before = lines[row].ljust(column)
            lines[row] = before[:column] + told + before[column + len(told) :]
            column += len(told)
    return [line.rstrip() for line in lines]


def restored(raw: bytes) -> bool:
    """Whether the cursor can be seen again, and the page is the one from before."""
    text = raw.decode(errors="replace")
    return all(
        text.rfind(on) >= text.rfind(off) for on, off in (("\x1b[?25h", "\x1b[?25l"), ("\x1b[?1049l", "\x1b[?1049h"))
    )
