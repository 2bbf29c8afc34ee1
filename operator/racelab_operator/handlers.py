"""kopf's decorators and nothing else: who is called when.

No handler uses kopf's `patch`: a patch that fails inside a timer ends the timer for good.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import kopf

from racelab_operator.crd import GROUP, PLURAL, VERSION
from racelab_operator.platforms.kubernetes.errors import ClusterError
from racelab_operator.platforms.kubernetes.login import login
from racelab_operator.platforms.kubernetes.metrics import RECONCILE_ERRORS, RECONCILE_SECONDS
from racelab_operator.platforms.kubernetes.sweeping import LOOP

if TYPE_CHECKING:
    from racelab_operator.platforms.kubernetes.health import Health
    from racelab_operator.platforms.kubernetes.reconciling import Reconciler

INTERVAL_SECONDS: Final = 0.25
BEAT_SECONDS: Final = 1
RETRY_SECONDS: Final = 1
TURN_SECONDS: Final = 0.1
WORKERS: Final = 16
WATCH_SECONDS: Final = 60
REQUEST_SECONDS: Final = 10

_log = logging.getLogger("racelab.operator")


def registry(reconciler: Reconciler, health: Health) -> kopf.OperatorRegistry:
    """Register the handlers of RaceExperiments."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        _configure(settings)
        task = asyncio.create_task(_beat(health))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    kopf.on.login(registry=handlers)(login)

    @kopf.timer(GROUP, VERSION, PLURAL, registry=handlers, interval=INTERVAL_SECONDS, backoff=1, when=_is_unfinished)
    def turn(name: str, uid: str, **_: Any) -> None:
        try:
            with RECONCILE_SECONDS.time():
                reconciler.turn(name, uid)
        except ClusterError as error:
            RECONCILE_ERRORS.labels(type(error).__name__).inc()
            _log.warning("%s: %s", name, error)
        except Exception as error:  # noqa: BLE001  one that escapes would end the timer's turns
            RECONCILE_ERRORS.labels(type(error).__name__).inc()
            _log.exception("%s could not be turned", name)
        finally:
            health.turned(uid)

    @kopf.on.delete(GROUP, VERSION, PLURAL, registry=handlers, when=_is_unfinished)
    def deleted(name: str, uid: str, **_: Any) -> None:
        try:
            reconciler.end(name, uid)
        except ClusterError as error:
            raise kopf.TemporaryError(str(error), delay=RETRY_SECONDS) from None

    return handlers


def _is_unfinished(status: kopf.Status, **_: Any) -> bool:
    return not status.get("completionTime")


def _configure(settings: kopf.OperatorSettings) -> None:
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    settings.posting.enabled = False  # events are told by the reconciler, one per transition
    settings.scanning.disabled = True  # it would need rights on the whole cluster
    settings.execution.max_workers = WORKERS
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.connect_timeout = REQUEST_SECONDS
    settings.networking.request_timeout = REQUEST_SECONDS
    settings.networking.connect_timeout = REQUEST_SECONDS
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 2, 2)
    settings.queueing.error_delays = (1, 1, 2, 2, 5)
    # A deletion that meets a turn under way waits for its end: by default it would look again after a minute.
    settings.background.instant_exit_timeout = TURN_SECONDS
    settings.background.cancellation_polling = RETRY_SECONDS


async def _beat(health: Health) -> None:
    """Show that kopf's event loop turns."""
    while True:
        health.turned(LOOP)
        await asyncio.sleep(BEAT_SECONDS)
