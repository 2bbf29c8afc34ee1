"""One performance of one or two experiments under faults, all drawn from a seed; and what must hold all the while."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar, Self

from brain.samples import experiment
from brain.simulated_faults import Faults
from brain.simulated_platform import World
from racelab_operator.actions import Action, Restore, Scale, StartLoad
from racelab_operator.reconcile import decide
from racelab_operator.status import Status
from racelab_operator.steps import run_key

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from racelab_operator.observed import Observed
    from racelab_operator.steps import Experiment
    from racelab_operator.turn import Decision

    Decider = Callable[[Experiment, Status, Observed, float], Decision]

FAULTY_TURNS = 160
PATIENCE_TURNS = 3_000
LONGEST_TICK_SECONDS = 4
LONGEST_IDLE_TICK_SECONDS = 10
SUSPENDED_TURNS = 40


class ViolationError(AssertionError):
    """What must always hold does not; says the seed and how to see it again."""


@dataclass
class Chaos:
    """How the loop around `decide` misbehaves, per turn; not at all by default."""

    crash: float = 0.0
    repeat: float = 0.0
    lose: float = 0.0
    stale: float = 0.0
    lag: float = 0.0
    api_outage: float = 0.0

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        return cls(**{chance.name: rng.choice([0.0, 0.0, 0.1, 0.3]) for chance in fields(cls)} | {"api_outage": 0.01})


@dataclass(eq=False)
class Contender:
    """An experiment, what is wanted of it at which turn, and what is stored of it."""

    experiment: Experiment
    created_at_turn: int = 0
    abort_at_turn: int | None = None
    suspended_from_turn: int | None = None
    status: Status = field(default_factory=Status)
    last: Observed | None = None

    def __post_init__(self) -> None:
        both = (False, True)
        self._variants = {
            (suspend, abort): replace(self.experiment, suspend=suspend, abort=abort)
            for suspend in both
            for abort in both
        }

    @property
    def name(self) -> str:
        return self.experiment.uid

    def wanted(self, turn: int) -> Experiment:
        aborted = self.abort_at_turn is not None and turn >= self.abort_at_turn
        return self._variants[self.is_suspended(turn), aborted]

    def is_suspended(self, turn: int) -> bool:
        since = self.suspended_from_turn
        return since is not None and since <= turn < since + SUSPENDED_TURNS

    def is_active(self, turn: int) -> bool:
        return turn >= self.created_at_turn and not self.status.finished


class Schedule:
    """Everything that happens to the experiments of one seed. `trace`: what happened, turn by turn, where wanted."""

    hint: ClassVar = "python -m pytest -s tests/brain/test_reconcile_simulation.py -k end_honestly"

    def __init__(self, seed: int, decider: Decider = decide, *, faulty: bool = True, traced: bool = False) -> None:
        rng = self.rng = random.Random(seed)
        self.seed, self.decide = seed, decider
        self.traced = traced
        self.trace: list[str] = []
        self._told_last: dict[str, str] = {}
        self.contenders = [self._contender(index) for index in range(rng.choice([1, 1, 2]))]
        self.world = World(rng, Faults.drawn(rng))
        self.chaos = Chaos.drawn(rng)
        self.away_until = 0.0
        self.busy = True
        self.held: set[str] = set()
        self.turns = 0
        if not faulty:
            self._calm()
            for contender in self.contenders:
                contender.abort_at_turn = None

    def _contender(self, index: int) -> Contender:
        """Draw an experiment. Deleting one aborts it: what is left of it goes when it has finished."""
        rng = self.rng
        drawn = _experiment(
            rng.choice([("atomic_only",), ("atomic_only", "row_lock")]),
            rng.choice([(3,), (1, 3), (4, 2)]),
            rng.choice([1, 1, 2, 3]),
        )
        return Contender(
            replace(drawn, uid=f"uid-{index}"),
            created_at_turn=index * rng.randrange(30),
            abort_at_turn=rng.choice([None, None, None, rng.randrange(60)]),
            suspended_from_turn=rng.choice([None, None, rng.randrange(60)]),
        )

    def perform(self) -> list[Status]:
        """Turn the loop until all experiments are finished; the faults end after some time.

        Raises:
            ViolationError: something did not hold that must.

        """
        for turn in range(PATIENCE_TURNS):
            self.turns = turn
            if turn == FAULTY_TURNS:
                self._calm()
            if all(contender.status.finished for contender in self.contenders):
                self._check_the_end()
                return [contender.status for contender in self.contenders]
            self._everybody_once(turn)
            self._go_on(turn)
        unfinished = [contender.status for contender in self.contenders if not contender.status.finished]
        raise self._violated(f"not finished after {PATIENCE_TURNS} turns: {unfinished}")

    def _go_on(self, turn: int) -> None:
        faults = self.world.faults_seen
        before, by_hand = faults.copy() if self.traced else None, faults["scaled_by_hand"]
        self.world.tick(self.rng.uniform(0.1, LONGEST_TICK_SECONDS if self.busy else LONGEST_IDLE_TICK_SECONDS))
        if faults["scaled_by_hand"] != by_hand:
            self._forget_observations()  # platforms read the scale afresh: it is never older than the last turn
        if before is not None:
            self._tell(turn, before)

    def _forget_observations(self) -> None:
        for contender in self.contenders:
            contender.last = None

    def _calm(self) -> None:
        self.world.faults, self.chaos = Faults(), Chaos()

    def _everybody_once(self, turn: int) -> None:
        self.busy = False
        if self.world.now < self.away_until:
            return
        if self._happens(self.chaos.api_outage):
            self.away_until = self.world.now + self.rng.choice([5, 70])
            self._forget_observations()
            self._note("nobody can reach the API server")
            return
        for contender in self.contenders:
            if contender.is_active(turn):
                self._turn(contender, contender.wanted(turn), turn)

    def _turn(self, contender: Contender, wanted: Experiment, turn: int) -> None:
        status = contender.status
        observed = self._observe(contender, wanted, turn)
        decision = self.decide(wanted, status, observed, self.world.clock)
        if self.traced and self.decide(wanted, status, observed, self.world.clock) != decision:
            raise self._violated(f"{contender.name}: the same arguments give two decisions")
        moved = decision.actions or decision.status.stage != status.stage
        self.busy |= bool(moved) or any(load.phase == "running" for load in observed.loads)
        if moved:
            self._check_the_decision(contender, observed, decision)
        if self._happens(self.chaos.crash / 4):
            self._crash("before the status was stored")
            return
        contender.status = decision.status
        self._check_who_holds(contender, status)
        for action in decision.actions:
            if self._happens(self.chaos.crash):
                self._crash(f"before {_told(action)}")
                return
            self._act(wanted, action)

    def _observe(self, contender: Contender, wanted: Experiment, turn: int) -> Observed:
        """Look, or believe to have looked. Whoever takes the bank looks afresh, and no other one does meanwhile."""
        if contender.last is not None and contender.status.stage != "spec" and self._happens(self.chaos.stale):
            self._note("an old observation")
            return contender.last
        self.world.lag = self._happens(self.chaos.lag)
        contender.last = self.world.observe(wanted, contender.status, self._ahead_of(contender, turn))
        return contender.last

    def _ahead_of(self, me: Contender, turn: int) -> str | None:
        """Say who has the bank; where nobody has, who comes first."""
        for other in self.contenders:
            if other is not me and other.status.holds_target:
                return other.name
        waiting = (other for other in self.contenders if other.is_active(turn) and not other.is_suspended(turn))
        first = next(waiting, me)
        return None if first is me or me.status.holds_target else first.name

    def _act(self, wanted: Experiment, action: Action) -> None:
        if self._happens(self.chaos.lose):
            self._note(f"lost: {_told(action)}")
        else:
            self.world.act(wanted, action)
        if self._happens(self.chaos.repeat):
            self.world.act(wanted, action)

    def _crash(self, when: str) -> None:
        """Forget all but what is stored, and be away for a while."""
        self._note(f"the operator crashed {when}")
        self.away_until = self.world.now + self.rng.choice([0, 0, 5, 90])
        for contender in self.contenders:
            contender.status = Status.model_validate_json(contender.status.model_dump_json())
        self._forget_observations()

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self.rng.random() < probability

    # What must hold

    def _check_the_decision(self, contender: Contender, observed: Observed, decision: Decision) -> None:
        for action in decision.actions:
            self._note(f"{contender.name} {decision.status.stage}: {_told(action)}")
            if isinstance(action, Scale):
                if observed.autoscaler is not None:
                    raise self._violated(f"{contender.name} scales while {observed.autoscaler} does")
                if contender.name not in self.held:
                    raise self._violated(f"{contender.name} scales while it is not its turn")
            elif isinstance(action, Restore) and contender.name not in self.held:
                raise self._violated(f"{contender.name} gives back what it does not hold")
            elif isinstance(action, StartLoad):
                seen_open = observed.run is None or observed.run.gate.state != "waiting"
                if seen_open or decision.status.gate_decided:
                    raise self._violated(f"{contender.name} starts a load that may have begun: {action.key}")

    def _check_who_holds(self, contender: Contender, before: Status) -> None:
        after = contender.status
        if after is before or after.stage == before.stage:
            return
        self._note(f"{contender.name} {before.stage} → {after.stage}, step {after.step}")
        self.held = {other.name for other in self.contenders if other.status.holds_target}
        if len(self.held) > 1:
            raise self._violated(f"{' and '.join(sorted(self.held))} hold the target together")
        self.world.held = bool(self.held)
        # Between the look that finds them given back and the end, nobody's replicas are safe from a person's hands.
        self.world.may_be_scaled_by_hand = all(
            other.status.stage not in {"replicas", "report"} for other in self.contenders if other.name in self.held
        )
        if not before.holds_target and after.holds_target and after.stage == "replicas":
            self._check_what_is_remembered(contender)

    def _check_what_is_remembered(self, contender: Contender) -> None:
        if contender.status.original_replicas != self.world.owed:
            remembered = contender.status.original_replicas
            raise self._violated(f"{contender.name} remembers {remembered} replicas instead of {self.world.owed}")

    def _check_the_end(self) -> None:
        world = self.world
        if world.target_gone_until is None and world.replicas_wanted != world.owed:
            raise self._violated(f"{world.replicas_wanted} replicas are wanted in the end instead of {world.owed}")
        world.settle()
        if twice := [place for place, times in world.sent.items() if times > 1]:
            raise self._violated(f"generators began to send more than once: {twice}")
        for place, loads in world.generators.items():
            if any(load.phase == "running" and not load.stopped for load in loads):
                raise self._violated(f"generator {place} is still at work, and was not told to end")
        for contender in self.contenders:
            self._check_the_verdicts(contender)

    def _check_the_verdicts(self, contender: Contender) -> None:
        status, steps = contender.status, contender.experiment.steps
        if status.verdict is None or not status.restored:
            raise self._violated(f"{contender.name} ends without a verdict, or with replicas of others: {status}")
        if [result.step for result in status.results] != list(range(len(steps))):
            raise self._violated(f"{contender.name} does not end with one result for each step")
        for step, result in zip(steps, status.results, strict=True):
            key = run_key(contender.experiment, step)
            places = [(key, generator) for generator in range(step.load.generators)]
            if result.verdict == "Confirmed" and not all(self.world.uploaded[place] for place in places):
                raise self._violated(f"{key} is Confirmed and lost a generator")

    # What is told

    def _violated(self, what: str) -> ViolationError:
        return ViolationError(f"seed {self.seed}: {what}\nTo see it turn by turn: RACELAB_SEED={self.seed} {self.hint}")

    def _note(self, what: str) -> None:
        if self.traced:
            self.trace.append(f"{self.turns:4} {what}")

    def _tell(self, turn: int, before: Counter[str]) -> None:
        for fault in sorted(self.world.faults_seen - before):
            self._note(f"fault: {fault}")
        for contender in self.contenders:
            status = contender.status
            line = f"{contender.name} {status.hold or status.stage} {status.step}: {status.message}"
            if self._told_last.get(contender.name) != line:
                self._told_last[contender.name] = line
                self._note(line)


def _told(action: Action) -> str:
    return f"{type(action).__name__} {getattr(action, 'replicas', None) or getattr(action, 'key', '')}"


@functools.cache
def _experiment(strategies: tuple[str, ...], replicas: tuple[int, ...], generators: int) -> Experiment:
    load = {"requests": 100, "generators": generators}
    return experiment(strategies=list(strategies), replicas=list(replicas), load=load)
