"""Lists over a ledger that grows without end: pages and filters that never count or scan all of it."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest

from racelab_bank.form import PLAYGROUND
from racelab_bank.models import Entry, Run
from racelab_bank.strategies import strategies

if TYPE_CHECKING:
    from django.db.models.query import QuerySet

    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator  # generic in its stubs only

#: How many rows can be paged through, the newest first.
MOST_ROWS: Final = 10_000

_LISTED_RUNS: Final = 20


class BoundedPaginator(_Paginator):
    """Pages over the first `MOST_ROWS` rows, without counting those behind them."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, up to the bound."""
        rows: Any = self.object_list
        return int(rows[:MOST_ROWS].count())


class RunFilter(admin.SimpleListFilter):
    """By run: the playground and the newest ones."""

    title = "run"
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's
        """Return the runs to choose from."""
        newest = Run.objects.exclude(key=PLAYGROUND).order_by("-pk").values_list("key", flat=True)[:_LISTED_RUNS]
        return [(key, key) for key in (PLAYGROUND, *newest)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Entry]") -> "QuerySet[Entry]":  # noqa: ARG002 - Django's
        """Return the run's entries: none is older than the run, and entries are indexed by transaction."""
        run = Run.objects.filter(key=self.value()).first()
        if run is None:
            return queryset
        return queryset.filter(account__run=run, transaction__gte=run.open_transaction)


class StrategyFilter(admin.SimpleListFilter):
    """By strategy, without looking for those that occur."""

    title = "strategy"
    parameter_name = "strategy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's
        """Return all strategies."""
        return [(name, name) for name in strategies()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Entry]") -> "QuerySet[Entry]":  # noqa: ARG002 - Django's
        """Return the strategy's entries."""
        return queryset.filter(strategy=self.value()) if self.value() else queryset
