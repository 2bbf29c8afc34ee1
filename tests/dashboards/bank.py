"""The dashboard "Bank": rate, errors and duration of requests, by strategy and by replica, and what happens inside."""

from __future__ import annotations

from typing import Final

from dashboards.building import (
    ABOVE_ZERO,
    LAST,
    Query,
    Row,
    bars,
    dashboard,
    figure,
    graph,
    heat_map,
    label_variable,
    namespace_variable,
)

REPLICAS: Final = '{namespace=~"$namespace",instance=~"$replica"}'
CHOSEN: Final = '{namespace=~"$namespace",instance=~"$replica",scenario=~"$scenario",strategy=~"$strategy"}'
FAILED: Final = CHOSEN.replace("}", ',outcome=~"failed|info"}')
TURNED_DOWN: Final = CHOSEN.replace("}", ',outcome=~"refused|conflict"}')
REQUESTS: Final = "racelab_bank_requests_total"
IDLE: Final = "no request in this time"


def rate(selector: str, *by: str, metric: str = REQUESTS) -> str:
    """Return a counter's rate per second, summed by labels."""
    return f"sum by ({', '.join(by)}) (rate({metric}{selector}[$__rate_interval]))"


def quantile(share: float, *by: str) -> str:
    """Return a quantile of the request durations, by labels."""
    buckets = rate(CHOSEN, "le", *by, metric="racelab_bank_request_duration_seconds_bucket")
    return f"histogram_quantile({share}, {buckets})"


def durations(*by: str) -> list[Query]:
    """Return median, 95th and 99th percentile, by labels."""
    named = " ".join(f"{{{{{label}}}}}" for label in by)
    return [Query(quantile(share, *by), f"{named} p{share * 100:.0f}") for share in (0.5, 0.95, 0.99)]


def bank() -> str:
    """Return bank.json."""
    asked = f'{REQUESTS}{{namespace=~"$namespace"}}'
    serving = 'racelab_bank_worker_processes{namespace=~"$namespace"}'
    variables = (
        namespace_variable("racelab_bank_worker_processes"),
        label_variable("scenario", "Scenario", asked, "scenario", "Deposit, withdraw, transfer and so on"),
        label_variable("strategy", "Strategy", asked, "strategy", "How the bank keeps its balances, or fails to"),
        label_variable("replica", "Replica", serving, "instance", "One Pod or process of the bank"),
    )
    words = "Requests at the bank: rate, errors and duration by strategy and replica"
    return dashboard("Bank", words, variables=variables, rows=(_rate(), _errors(), _duration(), _inside()))


def _rate() -> Row:
    return Row(
        "Rate",
        [
            graph(
                "Requests by strategy",
                "Operations that were begun, whatever became of them.",
                Query(rate(CHOSEN, "strategy"), "{{strategy}}"),
                unit="reqps",
                no_value=IDLE,
                width=8,
            ),
            graph(
                "Requests by replica",
                "The edge hands each request to the next replica: one that gets less is starting, leaving or full.",
                Query(rate(CHOSEN, "instance"), "{{instance}}"),
                unit="reqps",
                no_value=IDLE,
                width=8,
            ),
            graph(
                "Requests by outcome",
                "applied: written; refused: the bank's rules forbid it; conflict: the database or a version "
                "refused, and nothing was written; failed: an error; info: ended without an answer.",
                Query(rate(CHOSEN, "outcome"), "{{outcome}}"),
                unit="reqps",
                no_value=IDLE,
                width=8,
            ),
        ],
    )


def _errors() -> Row:
    all_of_them = rate(CHOSEN, "strategy")
    return Row(
        "Errors",
        [
            figure(
                "Failed",
                "Requests of the chosen time that ended in an error or without an answer. Their outcome is for the "
                "ledger to tell.",
                Query(f"sum(increase({REQUESTS}{FAILED}[$__range])) or sum({REQUESTS}{CHOSEN}) * 0", "failed"),
                limits=ABOVE_ZERO,
                decimals=0,
                no_value=IDLE,
                width=4,
            ),
            graph(
                "Failures by strategy",
                "Errors and requests without an answer, per second. None is normal: strategies that give up answer "
                "with a conflict.",
                Query(f"{rate(FAILED, 'strategy')} or {all_of_them} * 0", "{{strategy}}"),
                unit="reqps",
                no_value=IDLE,
                width=10,
            ),
            graph(
                "Turned down",
                "The share of requests that were refused or ended in a conflict: the price of a strategy that "
                "aborts instead of waiting.",
                Query(f"{rate(TURNED_DOWN, 'strategy')} / {all_of_them} or {all_of_them} * 0", "{{strategy}}"),
                unit="percentunit",
                no_value=IDLE,
                width=10,
            ),
        ],
    )


def _duration() -> Row:
    arriving = "sum by (le) (increase(racelab_bank_request_duration_seconds_bucket{}[$__rate_interval]))"
    told = "From the whole body read to the answer, the window included. "
    return Row(
        "Duration",
        [
            graph(
                "By strategy",
                told + "Strategies that lock make their callers wait for each other.",
                *durations("strategy"),
                unit="s",
                no_value=IDLE,
                width=8,
            ),
            graph(
                "By outcome",
                told + "A conflict that is dear was found late.",
                *durations("outcome"),
                unit="s",
                no_value=IDLE,
                width=8,
            ),
            graph(
                "By replica",
                told + "One that is slower than the others lacks processor time.",
                *durations("instance"),
                unit="s",
                no_value=IDLE,
                width=8,
            ),
            heat_map(
                "Spread",
                told + "How many requests fell into each bucket.",
                arriving.format(CHOSEN),
                no_value=IDLE,
                width=24,
            ),
        ],
    )


def _inside() -> Row:
    repeated = rate(CHOSEN, "strategy", metric="racelab_bank_retries_total")
    return Row(
        "Inside",
        [
            graph(
                "Between read and write",
                "Operations that have read a balance and not written yet: two at once may lose an update.",
                Query(f"sum by (strategy) (racelab_window_requests{CHOSEN})", "{{strategy}}"),
                no_value=IDLE,
                limits=((None, "transparent"), (2, "orange")),
                width=7,
            ),
            bars(
                "Peak between read and write",
                "The most that one replica has ever had between read and write since it started.",
                Query(
                    f"max by (strategy, instance) (racelab_window_requests_peak{CHOSEN})",
                    "{{strategy}} {{instance}}",
                ),
                no_value=IDLE,
                limits=((None, "green"), (2, "orange")),
                width=6,
            ),
            graph(
                "Retries",
                "Attempts per second that a strategy repeated after a conflict: work that is paid twice.",
                Query(
                    f"{repeated} or {rate(CHOSEN, 'strategy')} * 0",
                    "{{strategy}}",
                ),
                unit="ops",
                no_value=IDLE,
                width=6,
            ),
            graph(
                "Workers",
                "Processes of each replica, each serving one request at a time. With one worker on one replica "
                "nothing can race.",
                Query(f"sum by (instance) (racelab_bank_worker_processes{REPLICAS})", "{{instance}}"),
                no_value="no replica answers",
                calcs=(LAST,),
                width=5,
            ),
        ],
    )
