"""Where the operator finds its bank, as the chart writes it down; and what a load's Pod looks like.

No `from __future__ import annotations` here: pydantic needs the names at run time.
"""

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from racelab_operator.errors import WrongUseError


def _has_a_container(template: dict[str, Any]) -> dict[str, Any]:
    spec = template.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not containers or not isinstance(containers[0], dict):
        raise ValueError("given a template without spec.containers[0], which must be the generator's container")
    return template


class Settings(BaseModel):
    """operator.yaml. The token is not in it: it comes from the environment."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )

    target: Annotated[str, Field(min_length=1)]
    """The bank's Deployment."""
    pod_selector: Annotated[str, Field(min_length=1)]
    """The labels of the bank's Pods, as a selector."""
    auditor_url: Annotated[str, Field(pattern="^https?://")]
    """Where the auditor listens."""
    edge_url: Annotated[str, Field(pattern="^https://")]
    """Where the edge listens."""
    ca_file: str
    """The certificate authority of the edge: the same path in the operator and in the load's Pods."""
    load_pod: Annotated[dict[str, Any], AfterValidator(_has_a_container)]
    """A Pod template whose first container is the load generator; it gets its arguments from the operator."""


def read_settings(path: Path) -> Settings:
    """Read operator.yaml.

    Raises:
        WrongUseError: it cannot be read, or a field is wrong.

    """
    try:
        return Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise WrongUseError(f"--settings {path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WrongUseError(f"--settings {path}: is not YAML: {error}") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise WrongUseError(f"--settings {path}: {problems}") from None
