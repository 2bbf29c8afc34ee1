"""Simulations as hypothesis draws them."""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from audit.simulated_bank import Fault, Leg, Simulation, Way, Write

#: No clock decides these tests: the machine may be busy.
often = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
#: For tests that are repeated for every detector.
sometimes = settings(often, max_examples=30)

ALL_WAYS: tuple[Way, ...] = ("naive", "checked", "locked", "computed", "conditional")
CLEAN_WAYS: tuple[Way, ...] = ("locked", "conditional")


@st.composite
def writes(draw: st.DrawFn, accounts: int, ways: Sequence[Way], *, faults: bool, transfers: bool, apart: bool) -> Write:
    way = draw(st.sampled_from(ways))
    account = draw(st.integers(1, accounts))
    amount = draw(st.integers(1, 500) | st.integers(-500, -1))
    legs: tuple[Leg, ...] = (Leg(account, amount),)
    if transfers and accounts > 1 and draw(st.booleans()):
        legs = (*legs, Leg(account % accounts + 1, -amount))
    fault: Fault | None = draw(st.sampled_from(["no entry", "no install", None, None, None])) if faults else None
    return Write(legs, way, fault, apart and draw(st.booleans()))


@st.composite
def simulations(
    draw: st.DrawFn,
    *,
    ways: Sequence[Way] = ALL_WAYS,
    accounts: int = 3,
    faults: bool = False,
    transfers: bool = True,
    apart: bool = False,
    least: int = 0,
    most: int = 25,
    plain: bool = True,
) -> Simulation:
    """Draw a simulation. The first account is always a `plain` one: without an owner, opened, and with a balance."""
    openings = draw(st.lists(st.integers(0, 1_000), min_size=1, max_size=accounts))
    others = st.sets(st.integers(2, max(2, len(openings))), max_size=0 if plain else len(openings) - 1)
    derived = draw(others)
    created = draw(others) - derived
    owners = {account: draw(st.integers(7, 8)) for account in sorted(draw(others) | created)}
    write = writes(len(openings), ways, faults=faults, transfers=transfers, apart=apart)
    planned = draw(st.lists(write, min_size=least, max_size=most))
    picks = draw(st.lists(st.integers(0, 5), max_size=3 * len(planned) + 1))
    simulation = Simulation(openings, owners=owners, derived=derived, created=created)
    return simulation.play(planned, picks, workers=draw(st.integers(1, 6)))


def clean_simulations(least: int = 0) -> st.SearchStrategy[Simulation]:
    """Only writers that cannot race, on accounts of every sort, of which requests create one per owner at most."""
    drawn = simulations(ways=CLEAN_WAYS, least=least, accounts=5, plain=False)
    return drawn.filter(lambda simulation: not simulation.surplus())
