"""docs/isolation.md: every script of racelab_bank.isolation as the wheel's PostgreSQL performs it."""

import re
import tempfile
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

import psycopg

from racelab_bank.isolation.anomalies import IsolationAnomaly, anomalies
from racelab_bank.isolation.notation import listing, sentence, words
from racelab_bank.isolation.observation import Observation, Observations
from racelab_bank.isolation.outcome import Outcome
from racelab_bank.isolation.performing import perform_all, performer
from racelab_bank.isolation.scratch import FILL, TABLE
from racelab_bank.isolation.script import AUTOCOMMIT, LEVELS
from racelab_operator.platforms.local.postgresql import PostgreSQL

PAGE: Final = Path(__file__).parent.parent / "docs/isolation.md"

_HEAD: Final = f"""\
# Isolation levels, performed

Made by `make generate` from the code, by performing every script on the PostgreSQL {{version}} that the lab ships; do
not edit. `make check` performs all of them again and compares; so do the tests, with what is expected
(`app/racelab_bank/isolation/anomalies/`, one file each).

The anomalies, their symbols and the idea of the scripts are those of
[Hermitage](https://github.com/ept/hermitage) by Martin Kleppmann. On your own PostgreSQL:

```console
$ racelab-bank isolation --database-url postgresql:///mine
```

It works in a schema of its own, `racelab_hermitage`, which it drops, and exits with 1 when anything differs from this
page's table.

{{table}}

**shown**: the anomaly happened. Everything else is a way of preventing it:

- *snapshot*: nobody waits, nobody is aborted; what the statements see in their snapshots does not make up the anomaly.
- *T2 waits*: for a lock, until another transaction has ended; nobody is aborted.
- *40001 at T2's UPDATE*: PostgreSQL aborts T2 there, with this SQLSTATE, and T2 has to begin again.

Autocommit is no isolation level: each statement is its own transaction. It is here because Django does so outside
`atomic()`, and because a script that shows nothing anywhere would prove nothing: each one shows at least once.

## What this means for Django

- Outside `atomic()` the column autocommit holds, whatever isolation level is set.
- `atomic()` is the column read-committed, unless the database's `OPTIONS` have another `isolation_level`.
- Above read committed, 40001 arrives as `django.db.OperationalError`. The whole transaction must be tried again, around
  the outermost `atomic()`, as [serializable_retry](strategies.md#serializable_retry) does.
- What is prevented at every level is prevented by being in one transaction at all: that is what `atomic()` gives.

Which of the lab's [strategies](strategies.md) fall to what shows inside a transaction. Those that open none, such as
`read_modify_write` and `f_expression`, fall at every level; which one is safe where, [claims.md](claims.md) says.

{{strategies}}

## How to read the scripts

Each starts from a fresh table:

```sql
{TABLE};
{FILL};
```

Statements stand in the order in which they were said, with their transaction. `1 => 11` is a row: id 1, value 11. Each
transaction has a connection of its own and begins, at the level in question, with its first statement. *BLOCKS on T1*
is what PostgreSQL says (`pg_blocking_pids`), not how long it took. What a transaction would say while it waits, it says
when it *now goes on*. After an error it rolls back, and the rest of it is left out.
"""

_SOURCES: Final = """\
## Sources

- H. Berenson, P. Bernstein, J. Gray, J. Melton, E. O'Neil, P. O'Neil: A Critique of ANSI SQL Isolation Levels.
  SIGMOD 1995.
- A. Adya: Weak Consistency: A Generalized Theory and Optimistic Implementations for Distributed Transactions.
  PhD thesis, MIT, 1999.
- A. Fekete, E. O'Neil, P. O'Neil: A Read-Only Transaction Anomaly Under Snapshot Isolation. SIGMOD Record 33(3), 2004.
- P. Bailis, A. Davidson, A. Fekete, A. Ghodsi, J. Hellerstein, I. Stoica: Highly Available Transactions: Virtues and
  Limitations. VLDB 2014.
- M. Kleppmann: Hermitage: Testing the I in ACID. 2014. https://github.com/ept/hermitage
- PostgreSQL's manual, [Transaction Isolation](https://www.postgresql.org/docs/current/transaction-iso.html).
"""


def isolation_page() -> str:
    """Start the wheel's PostgreSQL on an empty folder, perform every script, and return docs/isolation.md."""
    with tempfile.TemporaryDirectory(prefix="rl-isolation-") as home, PostgreSQL(Path(home) / "data") as server:
        return performed_page(server.url)


def performed_page(database_url: str) -> str:
    """Perform every script on a PostgreSQL, and return docs/isolation.md for it."""
    with performer(lambda: psycopg.connect(database_url)) as performing:
        return page(performing.table.version, perform_all(performing))


def page(version: str, observations: Observations) -> str:
    """Return docs/isolation.md for what was observed."""
    head = _HEAD.format(version=version, table=_table(observations), strategies=_strategies())
    sections = [_section(one, observations[name]) for name, one in anomalies().items()]
    return "\n".join([head, *sections, _SOURCES])


def _heading(one: IsolationAnomaly) -> str:
    return f"{one.symbol}: {one.title}"


def _link(one: IsolationAnomaly) -> str:
    """Return a link to the anomaly's section, as GitHub makes anchors of headings."""
    anchor = re.sub(r"[^\w\- ]", "", _heading(one).lower()).replace(" ", "-")
    return f"[{one.symbol}](#{anchor}) {one.title}"


def _enumerated(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(outcome: Outcome, one: IsolationAnomaly) -> str:
    return "**shown**" if outcome.kind == "shown" else f"prevented: {words(outcome, one.script)}"


def _table(observations: Observations) -> str:
    lines = [_row("Anomaly", *LEVELS), _row(*["---"] * (len(LEVELS) + 1))]
    for name, one in anomalies().items():
        cells = (_cell(one.outcome(observations[name][level]), one) for level in LEVELS)
        lines.append(_row(_link(one), *cells))
    return "\n".join(lines)


def _strategies() -> str:
    lines = [_row("Anomaly", "Shows in a transaction at", "Strategies that fall to it"), _row(*["---"] * 3)]
    for one in anomalies().values():
        levels = [level for level in one.shows_at if level != AUTOCOMMIT]
        if levels:
            links = ", ".join(f"[{name}](strategies.md#{name})" for name in one.strategies)
            lines.append(_row(_link(one), ", ".join(levels), links or "none of the lab's"))
    return "\n".join(lines)


def _section(one: IsolationAnomaly, observed: Mapping[str, Observation]) -> str:
    """Return what an anomaly is, and its script as performed: once for neighbouring levels at which nothing differs."""
    parts = [f"## {_heading(one)}", "", one.told, ""]

    def performed(level: str) -> tuple[str, str]:
        return sentence(one.outcome(observed[level]), one.script), listing(observed[level])

    for (judged, listed), levels in groupby(LEVELS, key=performed):
        parts += [f"At {_enumerated(list(levels))}: {judged}.", "", "```sql", listed, "```", ""]
    return "\n".join(parts)
