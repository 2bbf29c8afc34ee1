"""A memory of bounded size."""

from racelab_bank.auditor.remembering import Newest


def test_it_forgets_what_was_set_longest_ago() -> None:
    kept: Newest[str, int] = Newest(2)
    kept["a"], kept["b"] = 1, 2
    kept["a"] = 3
    kept["c"] = 4
    assert dict(kept) == {"a": 3, "c": 4}
