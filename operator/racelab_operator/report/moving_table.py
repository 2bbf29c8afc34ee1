"""Drawing the rows of a table that moves, in the width and height that the terminal has now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from racelab_operator.report.rows import hidden_as_text, window
from racelab_operator.report.sparkline import sparkline
from racelab_operator.report.table import STYLES
from racelab_operator.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from racelab_operator.report.rows import Row

_GAP: Final = 2
_MARKS: Final = {"waiting": " ", "current": "▶", "ended": " "}
_HEADINGS: Final = ("drift", "lost", "stale")
# So that columns do not jump while figures grow.
_LEAST: Final = (7, 8, 4, 5)
_WORD: Final = 13
_BAR: Final = 12
_BAR_AND_SHARE: Final = _BAR + 6
_WIDEST_SPARKLINE: Final = 24
_LEAST_NAME: Final = 8
_OUTCOME_STYLES: Final = {"Consistent": "green", "Anomalous": "bold yellow"}


@dataclass(frozen=True, slots=True)
class _Widths:
    """How wide the columns are; 0 where one is left out."""

    name: int
    cells: tuple[int, ...]
    sparkline: int
    word: int
    short: bool


@dataclass(frozen=True, slots=True)
class MovingTable:
    """Rows between a title and a caption, of which either may be empty.

    `whole`: all rows are shown, whatever the terminal's height. `current`: the index of the row to keep in sight.
    """

    title: str
    written: str
    rows: tuple[Row, ...]
    current: int
    caption: tuple[str, ...] = ()
    whole: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out anew, since the terminal may have another size than before."""
        shown, hidden = range(len(self.rows)), ""
        room = options.size.height - len(self.caption) - 2 - bool(self.title)
        if not self.whole and len(self.rows) > room:
            shown = window(len(self.rows), self.current, room - 1)
            hidden = hidden_as_text(self.rows, shown)
        # Told of all rows, so that nothing jumps when the window moves.
        widths = _widths(self.rows, self.written, options.max_width)
        lines = [self.title, *([hidden] if hidden else []), *self.caption]
        texts = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
        head = texts[:1] if self.title else []
        table = self._table([self.rows[index] for index in shown], widths)
        yield Group(*head, *([table] if self.rows else []), *texts[1:])

    def _table(self, rows: Sequence[Row], widths: _Widths) -> Table:
        table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
        table.add_column("  step", width=widths.name + 2, no_wrap=True, overflow="ellipsis")
        for heading, width in zip((self.written, *_HEADINGS), widths.cells, strict=True):
            if width:
                table.add_column(heading, width=width, justify="right", no_wrap=True, overflow="ellipsis")
        if widths.sparkline:
            heading = next(text for text in ("drift over time", "over time", "") if len(text) <= widths.sparkline)
            table.add_column(heading, width=widths.sparkline, no_wrap=True, overflow="crop")
        table.add_column("", width=widths.word, no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(*_cells(row, widths), style="dim" if row.state == "waiting" else "")
        return table


def _cells(row: Row, widths: _Widths) -> Iterator[Text]:
    name = row.short if widths.short else row.name
    yield Text(f"{_MARKS[row.state]} {name}", style="bold" if row.state == "current" else "")
    off = row.figures is not None and row.figures.absolute_drift_cents > 0
    for number, (cell, width) in enumerate(zip(row.cells, widths.cells, strict=True)):
        if width:
            yield Text(cell, style="red" if number and off and cell not in {"0", NOTHING} else "")
    if widths.sparkline:
        yield Text(sparkline(row.trace, widths.sparkline), style="red" if off else "green")
    yield _word(row, widths.word)


def _word(row: Row, width: int) -> Text:
    if row.state != "current" or row.fraction is None:
        return Text(row.word, style=STYLES.get(row.word) or _OUTCOME_STYLES.get(row.word, ""))
    share = f"{int(row.fraction * 100):>3} %"
    if width < _BAR_AND_SHARE:
        return Text(share)
    done = int(row.fraction * _BAR)
    return Text.assemble(("━" * done, "cyan"), ("─" * (_BAR - done), "dim"), f" {share}")


def _widths(rows: Sequence[Row], written: str, width: int) -> _Widths:
    """Share out the width: what does not fit is left out, first the bar, then whole names, the sparkline, a column."""
    texts = [*zip(*(row.cells for row in rows), strict=True)] or [(), (), (), ()]
    cells = tuple(
        max(least, len(heading), *map(len, column)) if column else max(least, len(heading))
        for column, heading, least in zip(texts, (written, *_HEADINGS), _LEAST, strict=True)
    )
    word = max([_WORD, *(len(row.word) for row in rows if row.state == "ended")])
    full = max((len(row.name) for row in rows), default=0)
    short = max((len(row.short) for row in rows), default=0)
    tries = (
        (full, cells, 15, max(word, _BAR_AND_SHARE), False),
        (full, cells, 9, word, False),
        (short, cells, 15, max(word, _BAR_AND_SHARE), True),
        (short, cells, 6, word, True),
        (short, cells, 0, word, True),
        (short, (*cells[:-1], 0), 0, word, True),
    )
    for name, some, least, last, is_short in tries:
        rest = width - _sum(name, some, last)
        room = rest - _GAP if least else 0
        if rest >= 0 and room >= least:
            return _Widths(name, some, min(room, _WIDEST_SPARKLINE), last, is_short)
    kept = cells
    for left_out in (3, 0, 2):  # the stale installs, what was written, what is lost: the drift stays
        if width - _sum(_LEAST_NAME, kept, word) >= 0:
            break
        kept = tuple(0 if index == left_out else one for index, one in enumerate(kept))
    return _Widths(max(_LEAST_NAME, width - _sum(0, kept, word)), kept, 0, word, short=True)


def _sum(name: int, cells: Sequence[int], word: int) -> int:
    """Add up what columns take; the name has a mark before it."""
    taken = [one for one in cells if one]
    return 2 + name + sum(taken) + word + _GAP * (len(taken) + 1)
