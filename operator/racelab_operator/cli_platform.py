"""The options that choose between this machine and a cluster, and which others go with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from racelab_operator.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL: Final = "local"
KUBERNETES: Final = "kubernetes"

_ONLY_WITH: Final = {
    LOCAL: ("keep", "home", "workers", "http_port", "https_port", "database_url"),
    KUBERNETES: ("namespace", "context"),
}
_PLATFORM_OPTIONS: Final = (
    click.option(
        "--platform",
        type=click.Choice([LOCAL, KUBERNETES]),
        default=LOCAL,
        show_default=True,
        help="Where the experiments are performed.",
    ),
    click.option("-n", "--namespace", help="On a cluster: the namespace of the lab. [default: the kubeconfig's]"),
    click.option("--context", help="On a cluster: which context of the kubeconfig. [default: the current one]"),
)


def platform_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a platform."""
    for option in reversed(_PLATFORM_OPTIONS):
        command = option(command)
    return command


def refuse_flags_of_others(context: click.Context) -> None:
    """See that only flags of the chosen platform were given; what the environment says does not count.

    Raises:
        WrongUseError: it names them.

    """
    chosen = context.params["platform"]
    for platform, names in _ONLY_WITH.items():
        given = [name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
        if platform != chosen and given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise WrongUseError(f"{flags}: given with --platform {chosen}, allowed with --platform {platform} only")
