"""The page of a report: everything is on it, it needs nothing else, and nothing that a report says becomes markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from brain.report_samples import SVG, finished, whole
from racelab_operator.report.html import page, reports_as_html
from racelab_operator.report.json import read_reports, reports_as_json
from racelab_operator.report.model import ExperimentReport
from racelab_operator.spec import RaceExperiment

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """A page as its elements and its words; a tag that is not closed in its place is an error."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.by_tag: dict[str, list[str]] = {}
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)
            self.by_tag.setdefault(self.open[-1], []).append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(autouse=True)
def no_template_variable_is_misspelt(monkeypatch: pytest.MonkeyPatch) -> None:
    """See to it that the engine says where a template asks for what is not there."""
    page._engine.cache_clear()
    engine = page._engine()
    monkeypatch.setattr(engine, "string_if_invalid", "MISSING-%s")


def shown(*reports: ExperimentReport) -> Page:
    markup = reports_as_html(reports)
    assert "MISSING-" not in markup
    return Page(markup)


def old() -> ExperimentReport:
    """Give a report as the version before wrote it, without all that came later."""
    value = json.loads(reports_as_json([finished()]))
    for name in ("started_at", "completed_at", "experiment_file", "seed", "command"):
        del value[name]
    for step in value["steps"]:
        del step["timeline"], step["interleavings"]
    return ExperimentReport.model_validate(value)


def unfinished() -> ExperimentReport:
    """Give a report in which no step came to an audit."""
    report = finished()
    figures = {
        "operations": None, "anomalies": None, "entries": None, "lost": None, "culprits": None, "drift_cents": None,
        "absolute_drift_cents": None, "overdrafts": None, "replicas_seen": (), "start_skew_microseconds": None,
        "requests_per_second": None, "latency_milliseconds": None, "seconds": None, "certificate": None,
        "timeline": None, "outcome": "Unknown", "verdict": "Unknown", "reason": "interrupted",
    }  # fmt: skip
    steps = tuple(step.model_copy(update=figures) for step in report.steps)
    return report.model_copy(update={"steps": steps, "verdict": "Unknown", "completed_at": None})


REPORTS = {"whole": whole, "without interleavings": finished, "old": old, "unfinished": unfinished}


@pytest.mark.parametrize("case", REPORTS)
def test_the_page_is_one_file_that_allows_itself_only_its_own_style_and_images(case: str) -> None:
    markup = reports_as_html([REPORTS[case]()])
    told = Page(markup)
    assert not told.all("script")
    [style] = re.findall(r"<style>(.*?)</style>", markup, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [policy] = [meta["content"] for meta in told.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    for _, attributes in told.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize("case", REPORTS)
def test_every_link_leads_to_a_place_on_the_page_that_is_there_once(case: str) -> None:
    told = shown(REPORTS[case](), whole())
    places = [attributes["id"] for _, attributes in told.elements if "id" in attributes]
    assert len(places) == len(set(places))
    links = {str(link["href"]).removeprefix("#") for link in told.all("a")}
    named = {str(one["aria-labelledby"]) for _, one in told.elements if "aria-labelledby" in one}
    assert links | named <= set(places)
    assert len(links) > 8


def test_the_head_says_what_came_of_it_and_when() -> None:
    told = shown(whole())
    assert told.by_tag["title"][0] == "sample: Confirmed – racelab report"
    assert (
        "All 8 steps are Confirmed; 374 of 2,400 entries were lost, in 2 steps, with a drift of −374.00. "
        "15 January 2027, 08:00:00 to 08:01:15 UTC"
    ) in told.text


def test_the_table_has_a_row_for_each_step_with_the_verdict_as_a_word() -> None:
    told = shown(whole())
    headings = [word for word in told.by_tag["th"] if word.strip()][:8]
    assert headings == ["step", "operations", "lost", "drift", "serial", "claim", "outcome", "verdict"]
    scopes = [heading.get("scope") for heading in told.all("th")]
    assert scopes.count("row") == 8 + len(whole().versions)
    assert None not in scopes
    row = "3-replicas-atomic_only-read-committed-0ms 300 187 −187.00 refuted racy Anomalous ✓ Confirmed"
    assert row in told.text
    assert len(told.all("caption")) == len(told.all("table")) == 2


def test_the_sections_are_all_there_with_their_charts() -> None:
    told = shown(whole())
    headings = [heading for heading in told.by_tag["h2"] if heading.strip()]
    assert headings == ["Verdicts", "Drift over time", "Loss", "Latency", "Start skew", "Steps", "How to reproduce it"]
    titles = [title for title in told.by_tag["title"] if "racelab" not in title]
    per_step = ["Balance and ledger total", "Drift"]
    assert titles == [
        "Drift over time",
        "Lost entries against replicas of the bank",
        "Lost entries against the window in milliseconds",
        "Latency",
        "Start skew",
        *per_step * 2,
    ]
    assert "Nothing was lost by row_lock (0 ms window) and row_lock (5 ms window)." in told.text
    assert "atomic_only (3 replicas, 0 ms window): ends at −187.00" in told.text
    assert "6 other steps stayed at 0.00 all the time." in told.text


def test_interleavings_are_images_with_their_words_and_as_text() -> None:
    told = shown(whole())
    images = told.all("img")
    assert len(images) == 6
    for image in images:
        head, _, data = str(image["src"]).partition(",")
        assert head == "data:image/svg+xml;base64"
        assert base64.b64decode(data).decode() == SVG
        assert str(image["alt"]).startswith("Lost update: operation 1")
    assert "operation 17 was lost\n  reads 1.00\n" in "".join(told.by_tag["pre"])
    assert all("open" in details for details in told.all("details"))
    assert "3 of 187 interleavings; while the lab of this run is up, `racelab explain sample-uid12-4" in told.text


def test_the_certificate_is_told_with_its_witnesses() -> None:
    told = shown(whole())
    assert "A serial order is proved: 300 operations performed again one after the other" in told.text
    assert "A serial order is refuted: no serial order: 1 group" in told.text
    assert "dependencies: 486 write after write (ww), 0 read after write (wr), 187 write after read (rw)." in told.text
    assert "smallest cycle: 1 lost update, of 290 operations." in told.text
    assert "lost update: operation 2 read …" in told.text


def test_how_to_reproduce_it_gives_the_file_that_was_performed() -> None:
    told = shown(whole())
    [file] = [word for word in told.by_tag["pre"] if word.startswith("apiVersion")]
    again = RaceExperiment.model_validate(yaml.safe_load(file))
    assert again.model_dump(mode="json", by_alias=True, exclude_unset=True) == whole().experiment_file
    assert "racelab run sample.yaml --workers 2" in told.by_tag["pre"]
    assert "Seed 11 plans the same requests again" in told.text
    assert "PostgreSQL18.1" in told.text


def test_several_reports_have_a_table_of_contents_and_one_does_not() -> None:
    several = shown(whole(), unfinished())
    assert len(several.all("article")) == 2
    assert {link["href"] for link in several.all("a")} >= {"#r1", "#r2"}
    assert "Contents" in several.text
    assert "Contents" not in shown(whole()).text


def test_a_report_of_an_earlier_version_is_shown_with_what_it_has(tmp_path: Path) -> None:
    value = json.loads(reports_as_json([old()]))
    (tmp_path / "old.json").write_text(json.dumps(value))
    [report] = read_reports(tmp_path / "old.json")
    told = shown(report)
    assert "Nothing is known of how the drift went over time" in told.text
    assert "it was written by an earlier version" in told.text
    assert "UTC" not in told.text


def test_a_report_without_figures_says_why_and_has_no_charts() -> None:
    told = shown(unfinished())
    assert not told.all("svg")
    assert "All 8 steps are Unknown; no step came to an audit." in told.text
    assert "begun 15 January 2027, 08:00:00 UTC" in told.text
    assert "8 steps: interrupted" in told.text


HOSTILE = (
    "</style></title></pre><script>alert(1)</script><img src=x onerror=alert(2)>"
    "\"'{{ 1 }}{% now %}&amp;\u202e\x00\u0085"
)


FIXED = {"verdict", "outcome", "claim", "started_at", "completed_at"}


def poisoned(value: Any, name: str = "") -> Any:
    """Put hostile words wherever a report has words of its own choice."""
    match value:
        case str() if name not in FIXED:
            return f"{value}{HOSTILE}"
        case list():
            return [poisoned(inner, name) for inner in value]
        case dict():
            return {inner: poisoned(one, inner) for inner, one in value.items()}
        case _:
            return value


def test_whatever_a_report_says_is_shown_and_never_obeyed() -> None:
    value = poisoned(json.loads(reports_as_json([whole()])))
    value["versions"] = {HOSTILE: HOSTILE}
    value["steps"][0]["anomalies"] = {HOSTILE: 7}
    value["steps"][0]["certificate"]["dependencies"] = {HOSTILE: 7}
    value["steps"][2]["certificate"]["cycles"] = {HOSTILE: 7}
    hostile = ExperimentReport.model_validate(value)
    clean = shown(whole(), whole())
    told = shown(hostile, hostile)
    assert {tag for tag, _ in told.elements} == {tag for tag, _ in clean.elements}
    assert not told.all("script")
    assert len(told.all("img")) == len(clean.all("img"))
    assert not [one for _, one in told.elements if any(name.startswith("on") for name in one)]
    assert "<script>alert(1)</script>" in told.text
    assert "{{ 1 }}{% now %}&amp;\\u202e\\x00\\x85" in told.text
    assert not {"\u202e", "\x00", "\x85"} & set("".join(told.words))


def test_numbers_of_any_size_are_shown() -> None:
    value = json.loads(reports_as_json([whole()]))
    for step in value["steps"]:
        step |= {"lost": 10**400, "entries": 3, "drift_cents": -(10**400), "start_skew_microseconds": 10**400}
        step["latency_milliseconds"] = {"p50": 1e-308, "p99": 1.7e308}
        step["timeline"] = [
            {"at_milliseconds": at, "ledger_total_cents": 10**400, "balance_cents": -(10**400),
             "absolute_drift_cents": 0, "stale_installs": 0} for at in (-1e308, 1.7e308)
        ]  # fmt: skip
    assert len(shown(ExperimentReport.model_validate(value)).all("svg")) > 8


def test_figures_that_are_no_numbers_are_refused() -> None:
    value = json.loads(reports_as_json([whole()]))
    value["steps"][0]["seconds"] = float("nan")
    with pytest.raises(ValueError, match="finite number"):
        ExperimentReport.model_validate(value)
