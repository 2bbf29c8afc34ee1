"""gunicorn, configured in code: no file, no command line of its own."""

from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

# One generator keeps up to a thousand requests waiting at the edge; they wait in the socket's backlog here.
BACKLOG = 4096


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """A gunicorn arbiter that serves what `load` returns, with `options` by gunicorn's own names."""

    def __init__(self, load: Callable[[], Any], options: Mapping[str, Any]) -> None:
        self._load = load
        self._options = {
            "backlog": BACKLOG,
            "preload_app": True,
            "control_socket_disable": True,  # it would leave a socket in the home directory
            "loglevel": "warning",
            "errorlog": "-",
            "proc_name": "racelab-bank",
            **options,
        }
        super().__init__()

    def load_config(self) -> None:
        """Hand the options to gunicorn."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application."""
        return self._load()


def django_application() -> Any:
    """Return the Django project's WSGI application."""
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415 - settings read the environment now

    return get_wsgi_application()
