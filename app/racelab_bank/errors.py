"""Why an operation was not applied.

NotApplied
├── InvalidField     400  a field is missing or wrong
├── UnknownAccount   404
├── Conflict         409  a concurrent operation was in the way; nothing was written
├── RunClosed        410
└── Refused          422  the money is not there
"""


class NotApplied(Exception):
    """The operation left no trace in the ledger. `outcome` and `status` are what the HTTP API answers."""

    outcome = "invalid"
    status = 400


class InvalidField(NotApplied):
    """A form field is missing or wrong: which one, what was given, what is allowed."""

    def __init__(self, field: str, value: str | None, allowed: str) -> None:
        given = "nothing" if value is None else repr(value[:100])
        super().__init__(f"{field}: given {given}, allowed {allowed}")
        self.field = field
        self.value = value


class UnknownAccount(NotApplied):
    """There is no such account."""

    outcome = "unknown"
    status = 404


class Conflict(NotApplied):
    """A concurrent operation was in the way, also after the retries that the strategy makes."""

    outcome = "conflict"
    status = 409


class RunClosed(NotApplied):
    """The account's run is closed: nothing is installed on it any more."""

    outcome = "closed"
    status = 410


class Refused(NotApplied):
    """Applying it would break a floor."""

    outcome = "refused"
    status = 422
