"""Finds what fills the folders strategies/ and scenarios/: one module, one function of the same name."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import TypeVar

Kind = TypeVar("Kind")


def find(package: ModuleType, kind: type[Kind]) -> Mapping[str, Kind]:
    """Import every module of `package` and return what each defines under its own name, in order of names.

    Raises `TypeError` when a module does not define a `kind` of its own name.
    """
    found: dict[str, Kind] = {}
    for name in sorted(module.name for module in iter_modules(package.__path__)):
        value = getattr(import_module(f"{package.__name__}.{name}"), name, None)
        if not isinstance(value, kind):
            raise TypeError(f"{package.__name__}/{name}.py must define {name} as a {kind.__name__}; it is {value!r}")
        found[name] = value
    return MappingProxyType(found)


def description(function: object) -> str:
    """Return the first line of the docstring of the module that defines `function`."""
    return (import_module(function.__module__).__doc__ or "").strip().splitlines()[0]
