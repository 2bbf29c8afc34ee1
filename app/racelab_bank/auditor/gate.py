"""The gate: generators register, and all of them start at one moment.

It is a stored row: it opens once, when all expected generators are there. So a restart of the auditor changes nothing,
and a load that was ever started is known.
"""

from django.db import transaction

from racelab_bank.auditor.runs import Contradiction
from racelab_bank.entries import now_microseconds
from racelab_bank.models import Generator, Run

#: From the gate's opening to the start: time for every generator's next poll, and for the clocks' estimates.
START_AFTER_MICROSECONDS = 250_000

#: From the first registration until the gate gives up.
PATIENCE_MICROSECONDS = 60_000_000


def register(run: Run, index: int, process: str = "") -> Run:
    """Register generator `index` of the run and return the run as it is then; repeat it to ask how the gate stands.

    `process` tells apart who asks. While the gate waits, a second process of the same index takes the place of the
    first one, which may have died; once it has opened, only the one that was registered then may pass: no request is
    sent twice.
    Raises `Contradiction` for a generator that is not expected, comes too late, or is another process's.
    """
    if index >= run.generators:
        raise Contradiction(f"generator: given {index}, allowed 0 to {run.generators - 1}")
    known = Generator.objects.get(run=run, index=index)
    if known.registered and known.process == process and (run.gate != Run.Gate.WAITING or not _expired(run)):
        return run
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=run.pk)
        return _turn(run, Generator.objects.get(run=run, index=index), process)


def _turn(run: Run, generator: Generator, process: str) -> Run:
    """Do what is due, under the run's row lock."""
    if run.gate == Run.Gate.WAITING and _expired(run):
        _fail(run)
    if not generator.registered:
        if run.gate != Run.Gate.WAITING:
            raise Contradiction(f"the gate of run {run.key} is {run.gate} already: generator {generator.index} is late")
        generator.registered = True
        generator.process = process
        generator.save(update_fields=["registered", "process"])
        _maybe_open(run)
    elif generator.process != process:
        if run.gate != Run.Gate.WAITING:
            message = f"the gate of run {run.key} was passed by another process as generator {generator.index}"
            raise Contradiction(f"{message}: nothing is sent twice")
        generator.process = process
        generator.save(update_fields=["process"])
    return run


def _expired(run: Run) -> bool:
    since = run.gate_since_microseconds
    return since is not None and now_microseconds() - since > PATIENCE_MICROSECONDS


def _maybe_open(run: Run) -> None:
    now = now_microseconds()
    if run.gate_since_microseconds is None:
        run.gate_since_microseconds = now
    if not Generator.objects.filter(run=run, registered=False).exists():
        run.gate = Run.Gate.OPEN
        run.gate_start_microseconds = now + START_AFTER_MICROSECONDS
    run.save(update_fields=["gate", "gate_since_microseconds", "gate_start_microseconds"])


def _fail(run: Run) -> None:
    missing = Generator.objects.filter(run=run, registered=False).order_by("index").values_list("index", flat=True)
    run.gate = Run.Gate.FAILED
    run.gate_reason = (
        f"after {PATIENCE_MICROSECONDS // 1_000_000} s these generators had not come: {', '.join(map(str, missing))}"
    )
    run.save(update_fields=["gate", "gate_reason"])
