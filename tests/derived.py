"""Files that are made from code: `make generate` writes them, `make check` compares them.

`python -m derived` writes what differs; with `--check` it names it, and exits 1 when anything does.
"""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import derived_cli
import derived_dashboards
import derived_histories
import derived_isolation
import derived_metrics

ROOT = Path(__file__).parent.parent

Catalog = Mapping[str, Any]

# How the table abbreviates anomalies; `legend` explains.
LETTERS = {"lost_update": "L", "hidden_overdraft": "H", "visible_overdraft": "O", "duplicate": "D", "write_skew": "W"}
MARKS = "<!-- claims: made by `make generate` -->", "<!-- end of claims -->"


def derived_files() -> dict[Path, str]:
    """Return the wanted text of every derived file, by its path."""
    catalog = json.loads(catalog_text())
    readme = ROOT / "README.md"
    return {
        ROOT / "operator/racelab_operator/catalog.json": catalog_text(),
        ROOT / "operator/racelab_operator/report/report-schema.json": _report_schema(),
        ROOT / "docs/auditor-openapi.json": _openapi(),
        ROOT / "helm/racelab/files/crd.yaml": _crd(),
        ROOT / "docs/claims.md": claims_page(catalog["bank"]),
        ROOT / "docs/strategies.md": strategies_page(catalog["bank"]),
        derived_cli.PAGE: derived_cli.cli_page(),
        **derived_dashboards.dashboard_files(),
        derived_histories.PAGE: derived_histories.histories_page(),
        derived_isolation.PAGE: derived_isolation.isolation_page(),
        derived_metrics.PAGE: derived_metrics.metrics_page(),
        readme: between_marks(readme.read_text(encoding="utf-8"), claims_table(catalog["bank"], "read-committed")),
    }


def catalog_text() -> str:
    """Return both programs' catalogs as one JSON document, asked as anyone would ask them."""
    both = {
        "bank": _output("racelab_bank", "catalog"),
        "load": _output("racelab_loadgen", "catalog"),
    }
    return json.dumps(both, indent=2, ensure_ascii=False) + "\n"


def _output(module: str, command: str) -> Any:
    asked = subprocess.run([sys.executable, "-m", module, command], check=True, capture_output=True, text=True)
    return json.loads(asked.stdout)


def _report_schema() -> str:
    from racelab_operator.report.model import schema_text

    return schema_text()


def _crd() -> str:
    from racelab_operator.crd import crd_text

    return crd_text()


def _openapi() -> str:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "racelab_bank.settings")
    os.environ["RACELAB_ROLE"] = "auditor"
    import django

    django.setup()
    from racelab_bank.auditor.api import api

    return json.dumps(api.get_openapi_schema(path_prefix="/api/"), indent=2, ensure_ascii=False) + "\n"


def cell(claim: Mapping[str, Any] | None) -> str:
    """Return one cell of the claims table; a dash where nothing is claimed, and so nothing is performed."""
    if claim is None:
        return "–"
    if claim["kind"] == "racy":
        return "+".join(LETTERS[anomaly] for anomaly in claim["anomalies"])
    return str(claim["kind"])


def legend() -> str:
    """Return what the table's letters mean."""
    return (
        "L lost update, H hidden overdraft, O visible overdraft, D duplicate, W write skew; *safe*: none of them; "
        "*aborts*: safe, because the database refuses one of two overlapping operations; –: it does not serve that."
    )


def claims_table(bank: Catalog, isolation: str) -> str:
    """Return the claims at one isolation level as a Markdown table: strategies down, scenarios across."""
    scenarios = [scenario["name"] for scenario in bank["scenarios"]]
    lines = [_row("Strategy", *scenarios), _row(*["---"] * (len(scenarios) + 1))]
    for strategy in bank["strategies"]:
        cells = (cell(strategy["claims"].get(scenario, {}).get(isolation)) for scenario in scenarios)
        lines.append(_row(f"`{strategy['name']}`", *cells))
    return "\n".join([*lines, "", legend()])


def claims_page(bank: Catalog) -> str:
    """Return docs/claims.md: every claim, by scenario and isolation level."""
    isolations = bank["isolations"]
    parts = [
        "# Claims",
        "",
        "Made by `make generate` from the code; do not edit. What each strategy claims on PostgreSQL when two",
        "operations overlap. `make test` performs every cell with two scripted connections",
        "(tests/bank/test_claims.py), and `racelab run` judges experiments by it.",
        "",
        legend(),
        "",
        "[strategies.md](strategies.md) tells what each strategy does, step by step.",
    ]
    for scenario in bank["scenarios"]:
        parts += ["", f"## {scenario['name']}", "", scenario["description"], ""]
        parts += [_row("Strategy", "Transaction", *isolations), _row(*["---"] * (len(isolations) + 2))]
        for strategy in bank["strategies"]:
            claims = strategy["claims"].get(scenario["name"])
            if claims is not None:
                cells = (cell(claims.get(isolation)) for isolation in isolations)
                parts.append(_row(f"`{strategy['name']}`", strategy["transaction"], *cells))
    return "\n".join(parts) + "\n"


def strategies_page(bank: Catalog) -> str:
    """Return docs/strategies.md: what each strategy does, with the interleaving that shows it."""
    parts = [
        "# Strategies",
        "",
        "Made by `make generate` from the code; do not edit. Each is one file in `app/racelab_bank/strategies/`, and",
        "this is its docstring: the way it works, and the script of two transactions that shows what it claims",
        "([claims.md](claims.md)).",
    ]
    for strategy in bank["strategies"]:
        source = ROOT / "app/racelab_bank/strategies" / f"{strategy['name']}.py"
        told = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        parts += ["", f"## {strategy['name']}", "", told]
    return "\n".join(parts) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def between_marks(text: str, wanted: str) -> str:
    """Return the text with what stands between the marks replaced. Raises `ValueError` when a mark is missing."""
    begin, end = MARKS
    head, found_begin, rest = text.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"README.md: given no {begin if not found_begin else end}, the claims table goes between both")
    return f"{head}{begin}\n{wanted}\n{end}{tail}"


def differing(files: Mapping[Path, str], read: Callable[[Path], str]) -> list[Path]:
    """Return the files whose text is not the wanted one."""
    return [path for path, wanted in files.items() if read(path) != wanted]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(argv: list[str]) -> int:
    """Write or check; return the exit code."""
    files = derived_files()
    different = differing(files, _read)
    for path in different:
        name = path.relative_to(ROOT)
        if "--check" in argv:
            print(f"{name} is not what the code says: run `make generate` and commit it", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if different and "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
