"""What every Kubernetes object says of itself, checked as the API server checks it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from racelab_operator.spec_problems import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LABEL: Final = 63
_PREFIX: Final = 253
_WORD: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_WORDS: Final = "letters, digits, -, _ and ., with a letter or a digit at both ends"
# What a cluster keeps here: a file that was read from one says it too, and nobody needs it.
_KEPT_BY_CLUSTERS: Final = {
    "creationTimestamp": str,
    "deletionGracePeriodSeconds": int,
    "deletionTimestamp": str,
    "finalizers": list,
    "generateName": str,
    "generation": int,
    "managedFields": list,
    "ownerReferences": list,
    "resourceVersion": str,
    "selfLink": str,
    "uid": str,
}


class Part(BaseModel):
    """A mapping of the file: unknown fields are refused, those that hold nothing are left out, as in Kubernetes."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_left_out(cls, given: Any) -> Any:
        return _without_nothing(given)


def _without_nothing(given: Any) -> Any:
    """Drop the fields of a mapping that hold nothing."""
    return {name: value for name, value in given.items() if value is not None} if isinstance(given, dict) else given


def _key_problem(key: str) -> str | None:
    prefix, slash, name = key.rpartition("/")
    if len(name) > _LABEL or not _WORD.fullmatch(name):
        return f"given the name {key!r}, allowed 1 to {_LABEL} {_WORDS}"
    if slash and (len(prefix) > _PREFIX or not _DOMAIN.fullmatch(prefix)):
        return f"given the name {key!r}, allowed a domain before the /, such as example.com/{name}"
    return None


def _text_problems(
    given: dict[str, Any], as_checked: Callable[[str], str] = str
) -> Iterator[tuple[tuple[str], object, str]]:
    for key, value in given.items():
        if problem := _key_problem(as_checked(key)):
            yield (key,), value, problem
        elif value is not None and not isinstance(value, str):
            yield (key,), value, f"given {str(value).lower()}, allowed a text: write it in quotes"


def _label_problems(given: dict[str, Any]) -> Iterator[tuple[tuple[str], object, str]]:
    for key, value in given.items():
        if isinstance(value, str) and value and not (len(value) <= _LABEL and _WORD.fullmatch(value)):
            yield (key,), value, f"given {value!r}, allowed a text of up to {_LABEL} {_WORDS}"


def _annotations(given: dict[str, Any]) -> dict[str, Any]:
    # Clusters take capitals here, unlike in labels.
    refused(_text_problems(given, str.lower))
    return given


def _labels(given: dict[str, Any]) -> dict[str, Any]:
    refused([*_text_problems(given), *_label_problems(given)])
    return given


_Name = Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class Metadata(Part):
    """The experiment's name; the rest is for clusters."""

    name: _Name
    """Unlike all others in its namespace."""
    namespace: _Name | None = None
    """Where it is on a cluster."""
    labels: Annotated[dict[str, Any], AfterValidator(_labels)] = {}
    """What it is found by on a cluster."""
    annotations: Annotated[dict[str, Any], AfterValidator(_annotations)] = {}
    """Notes of tools."""

    @model_validator(mode="before")
    @classmethod
    def _what_clusters_keep_is_let_through(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if type(value) is not _KEPT_BY_CLUSTERS.get(name)}
