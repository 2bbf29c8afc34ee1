"""The catalog holds together: whatever claims name is there."""

from __future__ import annotations

from racelab_operator.catalog import catalog

CATALOG = catalog()


def test_claims_name_known_scenarios_levels_and_anomalies_only() -> None:
    for strategy in CATALOG.strategies.values():
        for scenario, claims in strategy.claims.items():
            assert set(claims) <= set(CATALOG.isolations)
            for claim in claims.values():
                assert set(claim.anomalies) <= set(CATALOG.scenarios[scenario].anomalies)
                assert bool(claim.anomalies) == (claim.kind == "racy")


def test_what_does_not_work_together_has_no_claim() -> None:
    assert CATALOG.claim("open", "row_lock", "read-committed") is None
    assert CATALOG.claim("deposit", "row_lock", "snapshot") is None
    assert CATALOG.claim("unknown", "row_lock", "read-committed") is None


def test_strategies_are_named_by_scenario() -> None:
    assert "row_lock" in CATALOG.strategies_for("deposit")
    assert "row_lock" not in CATALOG.strategies_for("open")
    assert CATALOG.strategies_for("unknown") == ()


def test_every_scenario_says_how_many_accounts_a_request_writes() -> None:
    written = {name: scenario.legs for name, scenario in CATALOG.scenarios.items()}
    assert written == {"deposit": 1, "joint": 1, "open": 1, "redeem": 2, "transfer": 2, "withdraw": 1}


def test_a_form_names_another_account_exactly_where_one_is_chosen() -> None:
    for scenario in CATALOG.scenarios.values():
        assert ("{other}" in scenario.form) == (scenario.other != "none"), scenario.name
