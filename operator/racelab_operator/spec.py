"""A RaceExperiment as a value: what the file may say, with which bounds. The CRD is generated from these models.

Names, claims and what works together come from the catalog, so a new strategy needs no change here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from racelab_operator.catalog import catalog
from racelab_operator.errors import InvalidFilesError, Problem
from racelab_operator.metadata import Metadata, Part
from racelab_operator.spec_problems import problems_of, refused
from racelab_operator.yaml_lines import Document, read_documents, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from racelab_operator.catalog import Scenario

MAXIMUM_STEPS: Final = 200
MAXIMUM_CENTS: Final = 10**15
MAXIMUM_ACCOUNTS: Final = 10_000
# The largest whole number that JSON keeps everywhere: the API server compares bounds as floating point numbers.
MAXIMUM_SEED: Final = 2**53 - 1

_CATALOG: Final = catalog()
_Item = TypeVar("_Item")


def _one_of(names: Iterable[str]) -> tuple[AfterValidator, Any]:
    """Allow these names only; the schema says so with an enum."""
    allowed = tuple(names)

    def check(given: str) -> str:
        if given not in allowed:
            raise PydanticCustomError("enum", "not in the catalog")
        return given

    return AfterValidator(check), Field(json_schema_extra={"enum": list(allowed)})


_check_scenario, _scenario_schema = _one_of(_CATALOG.scenarios)
_check_strategy, _strategy_schema = _one_of(_CATALOG.strategies)
_check_isolation, _isolation_schema = _one_of(_CATALOG.isolations)
_check_arrival, _arrival_schema = _one_of(_CATALOG.arrivals)

ScenarioName = Annotated[str, _check_scenario, _scenario_schema]
StrategyName = Annotated[str, _check_strategy, _strategy_schema]
IsolationName = Annotated[str, _check_isolation, _isolation_schema]
ArrivalName = Annotated[str, _check_arrival, _arrival_schema]
Replicas = Annotated[StrictInt, Field(ge=1, le=32)]
WindowMilliseconds = Annotated[StrictInt, Field(ge=0, le=_CATALOG.bank.maximum_window_milliseconds)]


def _without_repeats(given: tuple[_Item, ...]) -> tuple[_Item, ...]:
    refused(
        ((index,), value, f"given {value} twice: keep one of them")
        for index, value in enumerate(given)
        if value in given[:index]
    )
    return given


def _listed(maximum: int) -> Any:
    return Field(min_length=1, max_length=maximum, json_schema_extra={"x-kubernetes-list-type": "atomic"})


class Load(Part):
    """How many requests reach the bank, how, and over which accounts."""

    requests: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None
    """How many requests are sent in all. Give this or durationSeconds."""
    duration_seconds: Annotated[StrictInt, Field(ge=1, le=3600)] | None = Field(default=None, validate_default=True)
    """For how many seconds requests are sent. Give this or requests."""
    concurrency: Annotated[StrictInt, Field(ge=1, le=1000)] = 20
    """How many requests are in flight together, over all generators."""
    accounts: Annotated[StrictInt, Field(ge=1, le=MAXIMUM_ACCOUNTS)] | None = None
    """Over how many fresh accounts (or pairs, or owners) requests are spread; the scenario's own when left out."""
    amount_cents: Annotated[StrictInt, Field(ge=1, le=1_000_000_000)] = 100
    """The amount of each request, in cents."""
    minimum_cents: Annotated[StrictInt, Field(ge=-MAXIMUM_CENTS, le=MAXIMUM_CENTS)] | None = None
    """The floor of each account, in cents; the scenario's own when left out."""
    opening_cents: Annotated[StrictInt, Field(ge=0, le=MAXIMUM_CENTS)] | None = None
    """The opening balance of each account, in cents; the scenario's own when left out."""
    price_cents: Annotated[StrictInt, Field(ge=1, le=MAXIMUM_CENTS)] | None = None
    """The price of each item, in cents; the scenario's own when left out."""
    arrival: ArrivalName = "closed"
    """How the requests arrive."""
    generators: Annotated[StrictInt, Field(ge=1, le=16)] = 1
    """How many processes, or Pods, send the requests; at most as many as the concurrency."""
    seed: Annotated[StrictInt, Field(ge=0, le=MAXIMUM_SEED)] = 7
    """The same seed plans the same requests."""

    @field_validator("duration_seconds")
    @classmethod
    def _exactly_one_length(cls, given: int | None, info: ValidationInfo) -> int | None:
        if "requests" in info.data and (info.data["requests"] is None) == (given is None):
            which = "neither is given" if given is None else "both are given"
            raise PydanticCustomError("of_load", f"{which}: give exactly one of requests and durationSeconds")
        return given

    @field_validator("opening_cents")
    @classmethod
    def _opens_at_its_floor_or_above(cls, given: int | None, info: ValidationInfo) -> int | None:
        floor = info.data.get("minimum_cents")
        if given is not None and floor is not None and given < floor:
            message = f"given {given}, allowed from minimumCents {floor}: an account opens at its floor or above"
            raise PydanticCustomError("refused", "{message}", {"message": message})
        return given

    @field_validator("generators")
    @classmethod
    def _at_least_one_client_each(cls, given: int, info: ValidationInfo) -> int:
        if given > (concurrency := info.data.get("concurrency", given)):
            message = f"given {given}, allowed 1 to the concurrency, {concurrency}: raise spec.load.concurrency"
            raise PydanticCustomError("refused", "{message}", {"message": message})
        return given


def _unfit(load: Load, scenario: Scenario) -> Iterator[tuple[tuple[str], int, str]]:
    """Find what a load says that its scenario does not allow."""
    for field, own in (
        ("opening_cents", scenario.opening_cents),
        ("minimum_cents", scenario.minimum_cents),
        ("price_cents", scenario.price_cents),
    ):
        given: int | None = getattr(load, field)
        if given is not None and own is None:
            message = f"given {given}, which scenario {scenario.name} does not take: leave it out"
            yield (to_camel(field),), given, message
    if load.accounts is not None and load.accounts < scenario.accounts:
        allowed = f"allowed {scenario.accounts} to {MAXIMUM_ACCOUNTS} for scenario {scenario.name}"
        yield ("accounts",), load.accounts, f"given {load.accounts}, {allowed}"
    if scenario.price_cents is not None and load.price_cents is not None and load.price_cents < load.amount_cents:
        allowed = f"allowed from amountCents {load.amount_cents}"
        reason = "an item's price is at least what one code takes off it"
        yield ("priceCents",), load.price_cents, f"given {load.price_cents}, {allowed}: {reason}"


class Spec(Part):
    """The race: every strategy, at every isolation level, on every count of replicas, with every window."""

    scenario: ScenarioName
    """What a request does."""
    strategies: Annotated[tuple[StrategyName, ...], _listed(64), AfterValidator(_without_repeats)]
    """The ways to do it that are compared."""
    isolation: Annotated[tuple[IsolationName, ...], _listed(16), AfterValidator(_without_repeats)] = ("read-committed",)
    """The isolation levels that each strategy is tried at."""
    replicas: Annotated[tuple[Replicas, ...], _listed(16), AfterValidator(_without_repeats)] = (3,)
    """On how many replicas of the bank."""
    window_milliseconds: Annotated[tuple[WindowMilliseconds, ...], _listed(16), AfterValidator(_without_repeats)] = (0,)
    """How long each strategy pauses at its vulnerable point."""
    load: Load = Load(requests=300)
    """The load of each step; 300 requests when left out."""
    expect: Literal["Claim", "Consistent", "Anomalous"] = "Claim"
    """What confirms a step: what its strategy claims, or this outcome."""
    suspend: StrictBool = False
    """On a cluster: finish the current load, give the replicas back, and hold."""
    abort: StrictBool = False
    """On a cluster: end now, with verdicts for what was done."""
    ttl_seconds_after_finished: Annotated[StrictInt, Field(ge=0, le=2**31 - 1)] | None = None
    """On a cluster: after how many seconds a finished experiment is deleted; never when left out."""

    @field_validator("strategies")
    @classmethod
    def _serve_the_scenario(cls, given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if (scenario := info.data.get("scenario")) is not None:
            works = _CATALOG.strategies_for(scenario)
            hint = f"does not work with scenario {scenario}, allowed {', '.join(works)}"
            refused(((i,), name, f"given {name}, which {hint}") for i, name in enumerate(given) if name not in works)
        return given

    @field_validator("isolation")
    @classmethod
    def _are_claimed_by_every_strategy(cls, given: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if (scenario := info.data.get("scenario")) is not None:
            refused(
                ((index,), level, f"given {level}, at which {strategy} claims nothing: leave one of them out")
                for index, level in enumerate(given)
                for strategy in info.data.get("strategies", ())
                if _CATALOG.claim(scenario, strategy, level) is None
            )
        return given

    @field_validator("load")
    @classmethod
    def _fits_the_scenario(cls, given: Load, info: ValidationInfo) -> Load:
        if (name := info.data.get("scenario")) is not None:
            refused(_unfit(given, _CATALOG.scenarios[name]))
        return given

    @property
    def step_count(self) -> int:
        """How many steps the experiment expands into."""
        return len(self.replicas) * len(self.strategies) * len(self.isolation) * len(self.window_milliseconds)

    @model_validator(mode="after")
    def _not_too_many_steps(self) -> Spec:
        if self.step_count > MAXIMUM_STEPS:
            message = (
                f"given {self.step_count} steps (replicas × strategies × isolation × windowMilliseconds), "
                f"allowed 1 to {MAXIMUM_STEPS}: shorten a list, or make two experiments"
            )
            raise PydanticCustomError("refused", "{message}", {"message": message})
        return self


class RaceExperiment(Part):
    """A whole file."""

    api_version: Literal["racelab.dev/v1alpha1"]
    kind: Literal["RaceExperiment"]
    metadata: Metadata
    spec: Spec

    @model_validator(mode="before")
    @classmethod
    def _a_status_is_let_through(cls, given: Any) -> Any:
        """Drop it, as a cluster does: a file that was read from one has a status."""
        return {name: value for name, value in given.items() if name != "status"} if isinstance(given, dict) else given


def read_experiments(paths: Sequence[Path]) -> list[RaceExperiment]:
    """Read every experiment of every file.

    Raises:
        InvalidFilesError: with every problem of every file; nothing may be started then.

    """
    experiments: list[RaceExperiment] = []
    problems: list[Problem] = []
    seen: dict[str, str] = {}
    for path in paths:
        try:
            documents = read_documents(read_text(path), str(path))
        except InvalidFilesError as error:
            problems += error.problems
            continue
        for document in documents:
            problems += document.problems
            experiment = parse(document, str(path), problems.append)
            if experiment is None:
                continue
            name, place = experiment.metadata.name, f"{path}:{document.line(('metadata', 'name'))}"
            if name in seen:
                message = f"given {name}, which {seen[name]} is named already: choose another name"
                problems.append(Problem(str(path), document.line(("metadata", "name")), "metadata.name", message))
            seen.setdefault(name, place)
            experiments.append(experiment)
    if problems:
        raise InvalidFilesError(problems)
    return experiments


def parse(document: Document, file: str, report: Callable[[Problem], None]) -> RaceExperiment | None:
    """Check one document; None after reporting what is wrong with it."""
    try:
        return RaceExperiment.model_validate(document.value)
    except ValidationError as error:
        schema = RaceExperiment.model_json_schema()
        for problem in problems_of(error.errors(include_url=False), document, schema, file):
            report(problem)
    return None
