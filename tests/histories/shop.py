"""A small Django project of somebody else, which has balances and knows nothing of racelab; and the recipe in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

RECORDING = Path(__file__).parent.parent.parent / "docs/recording"

SETTINGS = """\
SECRET_KEY = "a-test"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [{app!r}]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", **{database!r}}}}}
"""

#: The app that the recipe's lines marked `yours` name, before it had the recipe.
SHOP = """\
from django.db import models


class Wallet(models.Model):
    name = models.CharField(max_length=50)
    balance = models.DecimalField(max_digits=12, decimal_places=2)
"""

MARK = re.compile(r"(#|--) yours\b")


@dataclass(frozen=True)
class Exported:
    """The rows of an exported file, by their kinds, in the order of the file."""

    file: Path
    rows: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the rows of a kind."""
        return [row for row in self.rows if row["kind"] == kind]

    def installs(self, account: int) -> list[dict[str, Any]]:
        """Return an account's installs in their order."""
        return sorted((row for row in self.of("install") if row["account"] == account), key=lambda row: row["sequence"])

    def account(self, number: int) -> dict[str, Any]:
        """Return an account's row."""
        (row,) = (row for row in self.of("account") if row["id"] == number)
        return row

    def entry(self, head: str, account: int) -> dict[str, Any] | None:
        """Return the entry that has this id on an account, None where there is none."""
        found = [row for row in self.of("entry") if (row["id"], row["account"]) == (head, account)]
        assert len(found) <= 1
        return found[0] if found else None

    def chain(self, account: int) -> list[str]:
        """Follow an account's heads from its opening to the one it has; every link must be the one before."""
        row, installs = self.account(account), self.installs(account)
        head, balance = installs[0]["old_head"], row["opening_cents"]
        for install in installs:
            assert (install["old_head"], install["old_balance_cents"]) == (head, balance)
            head, balance = install["new_head"], install["new_balance_cents"]
        assert (row["head"], row["balance_cents"]) == (head, balance)
        return [install["new_head"] for install in installs]

    def stale(self) -> list[str]:
        """Return the operations that had read another head than the one that they replaced."""
        found = []
        for install in self.of("install"):
            entry = self.entry(install["new_head"], install["account"])
            if entry is not None and entry["previous"] not in {None, install["old_head"]}:
                found.append(entry["operation"])
        return found

    def verified(self) -> tuple[int, dict[str, Any]]:
        """Let racelab judge the file; return the exit code and what it says."""
        command = [sys.executable, "-m", "racelab_bank", "verify", str(self.file), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


class Project:
    """One project in a directory, on a database of its own. Whatever it does, it does in a process of its own."""

    def __init__(self, directory: Path, url: str, app: str = "shop", models: str = SHOP) -> None:
        self.directory = directory
        self.app = app
        self.url = url
        self.database = f"recorded_{app}"
        self._administer(f"CREATE DATABASE {self.database}")
        self._settle()
        for name in ("__init__.py", "migrations/__init__.py"):
            self.write(f"{app}/{name}", "")
        self.write(f"{app}/models.py", models)
        self.manage("makemigrations", app)
        self.manage("migrate")

    def copy(self, directory: Path) -> Project:
        """Return the same project with the same rows somewhere else; this one must be at rest."""
        copied = copy(self)
        copied.directory, copied.database = directory, f"{self.database}_copy"
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        self._administer(f"CREATE DATABASE {copied.database} TEMPLATE {self.database}")
        copied._settle()
        return copied

    def _settle(self) -> None:
        names = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
        parts = conninfo_to_dict(self.url) | {"dbname": self.database}
        database = {django: str(parts[libpq]) for libpq, django in names.items()}
        self.write("settings.py", SETTINGS.format(app=self.app, database=database))

    def drop(self) -> None:
        """Leave no database behind."""
        self._administer(f"DROP DATABASE {self.database} WITH (FORCE)")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def adopt(self, models: str, yours: dict[str, str] | None = None) -> None:
        """Follow the recipe: copy its files, fill in the lines marked `yours`, give the model its base, migrate."""
        self.write(f"{self.app}/models.py", models)
        places = {
            "ledger.py": "ledger.py",
            "migration.py": "migrations/0002_recorded.py",
            "export_history.py": "management/commands/export_history.py",
        }
        for source, place in places.items():
            lines = (RECORDING / source).read_text(encoding="utf-8").splitlines(keepends=True)
            self.write(f"{self.app}/{place}", "".join(_filled_in(line, yours or {}) for line in lines))
        self.manage("migrate")

    def python(self, script: str) -> str:
        """Run a script with Django set up; return what it prints."""
        return self._run("-c", f"import django\ndjango.setup()\n{script}")

    def manage(self, *arguments: str) -> str:
        """Run a management command; return what it prints."""
        return self._run("-m", "django", *arguments)

    def _run(self, *arguments: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RACELAB", "DATABASE", "PG"))}
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.directory,
            env={**kept, "PYTHONPATH": str(self.directory), "DJANGO_SETTINGS_MODULE": "settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def export(self, name: str) -> Exported:
        """Export what is recorded."""
        return self.exported(name, self.manage("export_history"))

    def exported(self, name: str, text: str) -> Exported:
        """Keep an exported text as a file."""
        self.write(name, text)
        return Exported(self.directory / name, [json.loads(line) for line in text.splitlines()])


def recorded(models: str, app: str = "shop") -> str:
    """Return models as the recipe wants them: the one with the balance has its base."""
    line = "from django.db import models\n"
    return models.replace("(models.Model)", "(Recorded)").replace(line, f"{line}\nfrom {app}.ledger import Recorded\n")


def _filled_in(line: str, yours: dict[str, str]) -> str:
    """Replace names as a reader does: whole words, on lines that ask for it."""
    if MARK.search(line):
        for word, mine in yours.items():
            line = re.sub(rf"(?<![a-zA-Z]){re.escape(word)}(?![a-zA-Z])", mine, line)
    return line
