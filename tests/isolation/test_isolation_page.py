"""docs/isolation.md is what PostgreSQL does."""

import re

import psycopg

from derived_isolation import PAGE, page, performed_page
from racelab_bank.isolation.anomalies import anomalies
from racelab_bank.isolation.comparison import differences
from racelab_bank.isolation.performing import perform_all, performer
from racelab_bank.isolation.script import AUTOCOMMIT, LEVELS
from racelab_operator.platforms.local.postgresql import PostgreSQL


def test_the_page_is_what_was_performed(postgresql: PostgreSQL) -> None:
    assert PAGE.read_text(encoding="utf-8") == performed_page(postgresql.url), "run `make generate` and commit it"


def test_its_links_lead_somewhere() -> None:
    text = PAGE.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall("^#+ (.*)", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
    strategies = set(re.findall("^## (.*)", PAGE.with_name("strategies.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"strategies\.md#(\w+)", text)) <= strategies


def test_what_differs_changes_the_page_and_is_named(postgresql: PostgreSQL) -> None:
    with performer(lambda: psycopg.connect(postgresql.url)) as performing:
        observations = perform_all(performing)
    assert not list(differences(observations))
    # A PostgreSQL whose serializable were no isolation at all.
    broken = {
        name: {level: observed[AUTOCOMMIT if level == "serializable" else level] for level in LEVELS}
        for name, observed in observations.items()
    }
    named = list(differences(broken))
    assert {one.anomaly.name for one in named} == anomalies().keys()
    assert {one.level for one in named} == {"serializable"}
    assert page("18", broken) != page("18", observations)
