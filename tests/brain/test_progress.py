"""What a terminal shows while an experiment is performed."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from brain.samples import anomalous, audit, experiment
from racelab_operator.observed import Audit, Observed
from racelab_operator.report.moving_table import MovingTable
from racelab_operator.report.progress import Lines, StepsTable, _Steps, progress_on
from racelab_operator.report.rows import Row, window
from racelab_operator.report.screen import Screen
from racelab_operator.run import Progress
from racelab_operator.status import Status, StepResult
from racelab_operator.verdict import judge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from racelab_operator.steps import Experiment

RACE = experiment(strategies=["atomic_only", "row_lock", "f_expression"])
TIMELINE = [
    {"at_milliseconds": at, "ledger_total_cents": 0, "balance_cents": -cents, "absolute_drift_cents": cents,
     "stale_installs": 0}
    for at, cents in ((0, 0), (100, 6_000), (200, 12_000), (300, 18_700))
]  # fmt: skip


def results(race: Experiment, *audits: Audit) -> tuple[StepResult, ...]:
    found = []
    for step, observed in zip(race.steps, audits, strict=False):
        word = judge(step, observed)
        found.append(
            StepResult(step=step.index, verdict=word.word, outcome=observed.outcome, reason=word.reason, audit=observed)
        )
    return tuple(found)


def live(entries: int, cents: int, **changes: Any) -> Audit:
    """Give a live audit of a run that has lost so much."""
    figures = {"final": False, "entries": entries, "drift_cents": -cents, "absolute_drift_cents": cents}
    return audit(**figures | {"lost": cents // 100, "culprits": cents // 200} | changes)


def loading(*ended: Audit, now: Audit | None, at: float = 1.0, race: Experiment = RACE, **status: Any) -> Progress:
    step = len(ended)
    known = {"stage": "load", "message": "the load runs", "step": step, "results": results(race, *ended)}
    return Progress(race, Status(**known | status), Observed(at=at, step=step, audit=now))


def screen(moments: Iterable[Progress], width: int = 120, height: int = 30) -> list[str]:
    """Give the lines of the last picture, as a terminal of this size shows it."""
    steps = _Steps()
    table: MovingTable | None = None
    for moment in moments:
        table = steps.table(moment)
    assert table is not None
    return drawn(table, width, height)


def drawn(table: MovingTable, width: int, height: int = 30) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system=None, width=width, height=height).print(table)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if name in line)


def test_the_step_under_load_tells_what_is_written_and_lost_and_how_its_drift_grows() -> None:
    moments = [loading(now=live(30 * count, 1_800 * count), at=count * 0.4) for count in range(1, 6)]
    lines = screen(moments)
    current = row(lines, "atomic_only")
    assert current.startswith("▶ 3-replicas-atomic_only-read-committed-0ms")
    assert re.findall(r"[▁▂▃▄▅▆▇█]+", current) == ["▃▄▅▆█"]
    for told in ("150/300", "−90.00", " 90 ", " 45 ", "━━━━━━──────  50 %"):
        assert told in current
    assert "150 written · drift −90.00 · balance 1,300.00, ledger 1,300.00 · 90 lost · 45 stale installs" in lines
    assert lines[0] == "sample · step 1 of 3 · 1 s"
    assert row(lines, "row_lock").endswith("waiting")


def test_a_step_that_has_ended_tells_its_verdict_in_a_word_and_its_drift_from_the_audits_own_timeline() -> None:
    lines = screen([loading(anomalous(timeline=TIMELINE, culprits=90), audit(), now=None)])
    ended = row(lines, "atomic_only")
    assert ended.split()[1:] == ["300", "−187.00", "187", "90", "▁▃▅█", "Confirmed"]
    assert row(lines, "row_lock").split()[1:] == ["300", "0.00", "0", "0", "Confirmed"]
    assert row(lines, "f_expression").split()[-1] == "loading"


def test_without_a_timeline_the_drift_that_was_seen_live_stays() -> None:
    before = [loading(now=live(count, 100 * count)) for count in range(1, 4)]
    ended = Status(stage="report", step=0, results=results(RACE, anomalous()))
    lines = screen([*before, Progress(RACE, ended, Observed(at=2.0, step=0))])
    assert "▄▆█" in row(lines, "atomic_only")


def test_the_same_answer_of_the_auditor_is_drawn_once_however_often_it_is_shown() -> None:
    answers = [live(10, 100), live(20, 100)]
    lines = screen([loading(now=answer, at=0.1 * turn) for answer in answers for turn in range(9)])
    assert re.findall(r"[▁▂▃▄▅▆▇█]+", row(lines, "atomic_only")) == ["██"]


def test_before_there_are_figures_it_tells_what_is_waited_for() -> None:
    lines = screen([loading(now=None, stage="replicas", message="waiting for 3 replicas")])
    assert row(lines, "atomic_only").endswith("scaling")
    assert lines[-1] == "waiting for 3 replicas"


def test_an_experiment_that_is_held_says_so_and_why() -> None:
    lines = screen([loading(now=None, stage="spec", hold="Queued", message="waiting for slow, which has the bank")])
    assert row(lines, "atomic_only").endswith("waiting")
    assert lines[-1] == "waiting for slow, which has the bank"


def test_a_load_that_is_measured_in_time_moves_with_the_time() -> None:
    race = experiment(strategies=["row_lock"], load={"durationSeconds": 10})
    moments = [loading(now=None, at=100.0, race=race), loading(now=live(40, 0), at=102.5, race=race)]
    assert row(screen(moments), "row_lock").endswith("━━━─────────  25 %")


def test_transfers_are_counted_and_not_their_legs() -> None:
    race = experiment(scenario="transfer", load={"requests": 300})
    lines = screen([loading(now=live(300, 0), race=race)])
    assert "150/300" in row(lines, "atomic_only")
    assert lines[-1].startswith("150 written · drift 0.00")


def test_drifts_that_hide_each_other_are_not_told_as_none() -> None:
    lines = screen([loading(now=live(30, 500, drift_cents=0))])
    assert "±5.00" in row(lines, "atomic_only")


def test_a_step_without_an_audit_shows_no_figures() -> None:
    unknown = StepResult(step=0, verdict="Unknown", outcome="Unknown", reason="interrupted")
    status = Status(stage="load", step=1, results=(unknown,))
    ended = row(screen([Progress(RACE, status, Observed(at=1.0, step=1))]), "atomic_only")
    assert ended.split()[1:] == ["–", "–", "–", "–", "Unknown"]


@pytest.mark.parametrize("width", [200, 140, 120, 100, 80, 60, 44])
def test_no_line_is_wider_than_the_terminal_and_no_verdict_or_drift_is_cut(width: int) -> None:
    moment = loading(anomalous(timeline=TIMELINE), now=live(150, 9_000))
    lines = screen([moment], width)
    assert max(map(len, lines)) <= width
    assert "−187.00" in lines[2]
    assert lines[2].endswith("Confirmed")
    assert "−90.00" in lines[3]
    assert "50 %" in lines[3]


@pytest.mark.parametrize(
    ("width", "named", "sparkline", "bar"),
    [(120, "3-replicas-atomic_only-read-committed-0ms", True, True), (80, "3× atomic_only", True, False)],
)
def test_a_narrow_terminal_shortens_names_to_what_tells_them_apart(
    width: int, named: str, *, sparkline: bool, bar: bool
) -> None:
    lines = screen([loading(anomalous(timeline=TIMELINE), now=live(150, 9_000))], width)
    assert f"  {named} " in lines[2]
    assert ("▁▃▅█" in lines[2]) is sparkline
    assert ("━" in lines[3]) is bar


def test_short_names_tell_whatever_is_not_the_same_for_all() -> None:
    race = experiment(
        strategies=["atomic_only"], isolation=["read-committed", "serializable"], windowMilliseconds=[0, 5]
    )
    lines = screen([loading(now=None, race=race)], 80)
    assert [line[2:40].rstrip() for line in lines[2:6]] == [
        "3× atomic_only read-committed 0 ms",
        "3× atomic_only read-committed 5 ms",
        "3× atomic_only serializable 0 ms",
        "3× atomic_only serializable 5 ms",
    ]


FIFTY = experiment(strategies=["atomic_only", "row_lock"], replicas=[1, 2, 3, 4, 5], windowMilliseconds=[0, 1, 2, 3, 5])


@pytest.mark.parametrize("current", [0, 7, 25, 49])
def test_of_many_steps_those_around_the_current_one_are_shown_and_the_others_counted(current: int) -> None:
    lines = screen([loading(*[audit()] * current, now=live(10, 0), race=FIFTY)], 80, 24)
    assert len(lines) <= 24
    assert sum(line.startswith("▶") for line in lines) == 1
    hidden = [int(count) for line in lines for count in re.findall(r"(\d+) (?:before|after): ", line)]
    steps = [line for line in lines if "atomic_only" in line or "row_lock" in line]
    assert len(steps) + sum(hidden) == 50
    assert len(steps) >= 15


@pytest.mark.parametrize(
    ("count", "current", "room", "shown"),
    [
        (50, 0, 10, range(10)),
        (50, 25, 10, range(20, 30)),
        (50, 49, 10, range(40, 50)),
        (3, 1, 10, range(3)),
        (9, 4, 0, range(4, 5)),
    ],
)
def test_the_window_is_full_and_holds_the_current_row(count: int, current: int, room: int, shown: range) -> None:
    assert window(count, current, room) == shown


# On a terminal


@pytest.fixture(autouse=True)
def every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is left out for coming too soon after another."""
    monkeypatch.setattr("racelab_operator.report.screen.LEAST_SECONDS", 0)


def moments() -> list[Progress]:
    ended = Status(step=2, results=results(RACE, anomalous(), audit(), audit()), completed_at=9, verdict="Confirmed")
    return [
        loading(now=None, at=0.5, message="opening the run"),
        loading(anomalous(), now=audit(final=False, entries=150)),
        Progress(RACE, ended, Observed(at=2.0, step=2)),
    ]


def terminal(encoding: str = "utf-8", **options: Any) -> tuple[Console, io.BytesIO]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    return Console(file=file, force_terminal=True, width=120, height=30, highlight=False, **options), raw


def played(encoding: str = "utf-8", **options: Any) -> str:
    to, raw = terminal(encoding, **options)
    with progress_on(to) as progress:
        for moment in moments():
            progress(moment)
    return raw.getvalue().decode(encoding)


def test_the_last_moment_is_always_drawn_and_the_cursor_comes_back() -> None:
    written = played()
    assert "Confirmed" in written.rpartition("3-replicas-f_expression")[2]
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")


def test_whatever_breaks_off_the_cursor_comes_back() -> None:
    to, raw = terminal()

    def interrupted() -> None:
        with progress_on(to) as progress:
            progress(moments()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert raw.getvalue().decode().endswith("\x1b[?25h")


def test_it_may_be_entered_again_and_draws_below_what_was_said_in_between() -> None:
    to, raw = terminal()
    show = progress_on(to)
    with show:
        show(moments()[0])
    to.print("in between")
    with show:
        show(moments()[1])
    after = raw.getvalue().decode().rpartition("in between")[2]
    assert "150 written" in after
    assert after.index("step 2 of 3") < (after.index("\x1b[1A") if "\x1b[1A" in after else len(after))


def test_nothing_is_drawn_again_while_nothing_changes_and_not_too_often_when_much_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("racelab_operator.report.screen.LEAST_SECONDS", 0.2)
    to, raw = terminal()
    now = [100.0]
    with Screen(to, clock=lambda: now[0]) as shown:
        pictures = []
        for step in range(40):
            now[0] += 0.05
            shown.show(f"picture {step // 20}")
            pictures.append(raw.getvalue().count(b"picture"))
        assert pictures[0] == 1
        assert pictures[-1] == 2
        for step in range(40):
            now[0] += 0.05
            shown.show(f"other {step}")
        assert 8 <= raw.getvalue().count(b"other") <= 11
    assert b"other 39" in raw.getvalue(), "the last one is drawn at the end"


def test_a_picture_follows_the_size_of_the_terminal() -> None:
    to, raw = terminal()
    now = [100.0]
    table = _Steps().table(loading(now=live(150, 9_000)))
    with Screen(to, clock=lambda: now[0]) as shown:
        shown.show(table)
        wide = raw.tell()
        to.size = (70, 30)
        now[0] += 1
        shown.show(table)
        narrow = raw.getvalue()[wide:].decode()
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", narrow)
    assert max(map(len, text.splitlines())) <= 70
    assert "3× atomic_only" in text


def test_no_color_leaves_words(monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert coloured.search(played(color_system="standard"))
    monkeypatch.setenv("NO_COLOR", "1")
    written = played(color_system="standard")
    assert not coloured.search(written)
    assert "Confirmed" in written


def test_a_terminal_that_shows_ascii_only_gets_ascii_of_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LANG", raising=False)
    by_encoding = played("ascii")
    monkeypatch.setenv("LANG", "C")
    assert played() == by_encoding
    assert by_encoding.isascii()
    for told in ("-187.00", "> 3-replicas-row_lock", "150 written | drift 0.00", "######------  50 %"):
        assert told in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", by_encoding)


def test_a_locale_that_is_not_set_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LANG", raising=False)
    assert "−187.00" in played()


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(progress_on(terminal()[0]), StepsTable)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress_on(terminal()[0]), Lines)
    assert "\x1b[1A" not in played()


def test_rows_may_be_shown_all_whatever_the_height() -> None:
    rows = tuple(Row(f"step {index}", f"{index}", "waiting", "waiting") for index in range(60))
    assert len(drawn(MovingTable("", "written", rows, 0, whole=True), 80, 10)) == 61
