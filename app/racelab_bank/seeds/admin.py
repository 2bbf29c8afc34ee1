"""The Django admin at /admin/: the playground's accounts, and every transaction.

A balance that is edited here becomes an entry of the difference to the balance that was *shown*, applied under a row
lock. So two who edit at once each add their difference, and the ledger stays the truth.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from racelab_bank.models import Account, Entry
from racelab_bank.scenarios import scenarios
from racelab_bank.seeds import playground
from racelab_bank.seeds.admin_form import AccountForm, shown
from racelab_bank.seeds.admin_lists import BoundedPaginator, RunFilter, StrategyFilter
from racelab_bank.seeds.performing import Problem, perform

if TYPE_CHECKING:
    from django.db.models.query import QuerySet

    _AccountAdmin = admin.ModelAdmin[Account]
    _EntryAdmin = admin.ModelAdmin[Entry]
else:
    _AccountAdmin = _EntryAdmin = admin.ModelAdmin  # generic in its stubs only

STRATEGY: Final = "row_lock"

site = admin.AdminSite(name="admin")
site.site_header = site.site_title = "racelab"


class NotEdited(Exception):
    """The difference was not applied; says why."""


@admin.register(Account, site=site)
class AccountAdmin(_AccountAdmin):
    """The playground's accounts. Other runs are read by the auditor, and edited by nobody."""

    form = AccountForm
    list_display = ("id", "kind", "owner", "user", "balance")
    list_filter = ("kind",)
    list_select_related = ("user",)
    readonly_fields = ("id", "kind", "owner", "user", "opening", "minimum", "version")
    ordering = ("id",)
    paginator = BoundedPaginator
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Account]":
        """Return the playground's accounts."""
        return super().get_queryset(request).filter(run=playground.run())

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> tuple[str, ...]:  # noqa: ARG002 - Django's
        """Ask for the opening balance alone when an account is added."""
        return (*self.readonly_fields, "balance") if obj else ("balance",)

    @admin.display(ordering="balance_cents")
    def balance(self, account: Account) -> Decimal:
        """Show the balance in units, or in uses."""
        return shown(account.kind, account.balance_cents)

    @admin.display
    def opening(self, account: Account) -> Decimal:
        """Show the opening balance in units, or in uses."""
        return shown(account.kind, account.opening_cents)

    @admin.display
    def minimum(self, account: Account) -> Decimal:
        """Show the least balance that is allowed, in units, or in uses."""
        return shown(account.kind, account.minimum_cents)

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:  # noqa: ARG002 - Django's
        """Allow none: the ledger names every account."""
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Answer the form. What is edited is applied in a transaction of its strategy's own."""
        try:
            # What Django's own changeform_view calls within a transaction, in which no strategy could run.
            answer: HttpResponse = self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]
        except NotEdited as problem:
            self.message_user(request, str(problem), messages.ERROR)
            return HttpResponseRedirect(request.path)
        return answer

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        """Open a new account, or apply the difference to one that is there."""
        if not change:
            obj.run = playground.run()
            obj.opening_cents = obj.balance_cents = form.difference
            super().save_model(request, obj, form, change)
        elif form.difference:
            result = perform("admin", "deposit", STRATEGY, lambda: scenarios()["deposit"].post(obj.pk, form.difference))
            if isinstance(result, Problem):
                raise NotEdited(result.sentence)


@admin.register(Entry, site=site)
class EntryAdmin(_EntryAdmin):
    """All transactions of all runs, the newest first, for reading."""

    list_display = ("account_number", "amount", "balance_after", "operation", "strategy", "replica", "time")
    list_filter = (RunFilter, StrategyFilter)
    list_select_related = ("account",)
    ordering = ("-sequence",)
    paginator = BoundedPaginator
    show_full_result_count = False

    @admin.display(description="account")
    def account_number(self, entry: Entry) -> int:
        """Show the account's id."""
        return entry.account_id

    @admin.display
    def amount(self, entry: Entry) -> Decimal:
        """Show the amount in units, or in uses of a code."""
        return shown(entry.account.kind, entry.amount_cents)

    @admin.display(description="balance after")
    def balance_after(self, entry: Entry) -> Decimal | None:
        """Show the balance that was written; nothing where the database computed it."""
        return None if entry.balance_after_cents is None else shown(entry.account.kind, entry.balance_after_cents)

    @admin.display
    def time(self, entry: Entry) -> datetime:
        """Show when it was written."""
        return datetime.fromtimestamp(entry.written_at_microseconds / 1_000_000, UTC)

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's
        """Allow none: only operations make transactions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:  # noqa: ARG002 - Django's
        """Allow none: the ledger is append-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:  # noqa: ARG002 - Django's
        """Allow none: the ledger is append-only."""
        return False
