"""Editing a balance: in whole units for money and prices, in uses for discount codes."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError

from racelab_bank.models import Account
from racelab_bank.seeds.units import CENTS_PER_UNIT, units

if TYPE_CHECKING:
    _ModelForm = forms.ModelForm[Account]
else:
    _ModelForm = forms.ModelForm  # generic in its stubs only

_MAXIMUM_DIGITS: Final = 15


def shown(kind: str, number: int) -> Decimal:
    """Return what an account of this kind holds as it is shown: uses of a code, units of all else."""
    return Decimal(number) if kind == Account.Kind.CODE else units(number)


def stored(kind: str, value: Decimal) -> int:
    """Return the number that is stored for a value as it is shown."""
    return int(value) if kind == Account.Kind.CODE else int(value * CENTS_PER_UNIT)


def _field(decimals: int) -> forms.DecimalField:
    # The hidden copy is what the difference is taken from: the balance may have moved since the page was loaded.
    return forms.DecimalField(max_digits=_MAXIMUM_DIGITS, decimal_places=decimals, show_hidden_initial=True)


class AccountForm(_ModelForm):
    """An account's balance. `difference` is what was posted minus what was shown, in stored numbers."""

    balance = _field(2)

    class Meta:
        """Nothing is saved by the form itself."""

        model = Account
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.difference = 0
        kind = self.instance.kind
        if kind == Account.Kind.CODE:
            self.fields["balance"] = _field(0)
        if self.instance.pk is not None:
            self.initial["balance"] = shown(kind, self.instance.balance_cents)

    def clean(self) -> dict[str, Any] | None:
        """Compute the difference."""
        cleaned = super().clean()
        if cleaned is None or "balance" not in cleaned:
            return cleaned
        before = Decimal(0)
        if self.instance.pk is not None:
            try:
                before = self.fields["balance"].clean(self.data.get(self.add_initial_prefix("balance")))
            except ValidationError as error:
                raise ValidationError("The balance that was shown is missing: load the page again.") from error
        kind = self.instance.kind
        self.difference = stored(kind, cleaned["balance"]) - stored(kind, before)
        return cleaned
