"""A sequence of values of which each is made when it is asked for; how many there are is known at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Value_co = TypeVar("Value_co", covariant=True)


class Lazy(Sequence[Value_co], Generic[Value_co]):
    """What `make` makes of each of `keys`: numbers, one per value."""

    def __init__(self, keys: NDArray[Any], make: Callable[[int], Value_co]) -> None:
        self._keys = keys
        self._make = make

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> Value_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[Value_co]: ...
    def __getitem__(self, index: int | slice) -> Value_co | list[Value_co]:
        if isinstance(index, slice):
            return [self._make(key) for key in self._keys[index].tolist()]
        return self._make(int(self._keys[index]))
