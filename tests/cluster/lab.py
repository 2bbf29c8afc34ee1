"""A racelab that the chart installed into a namespace, for tests: experiments, what is seen of them, and faults."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from kubernetes import client

from cluster.cluster import ROOT, fresh_namespace, kubectl
from cluster.watching import Object, Watching
from racelab_operator.crd import GROUP, PLURAL, VERSION
from racelab_operator.errors import RacelabError
from racelab_operator.platforms.kubernetes.access import Access, access
from racelab_operator.platforms.kubernetes.auditor_forward import ReachedAuditor, auditor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from racelab_operator.observed import Audit

Found = TypeVar("Found")

CHART = ROOT / "helm" / "racelab"
RELEASE = "lab"
BANK = f"{RELEASE}-bank"
REPLICAS_BEFORE = 1
INSTALL_SECONDS = 240
FINISH_SECONDS = 120
POLL_SECONDS = 0.1

# Several labs must fit on a small node.
COMPONENTS = ("bank", "edge", "auditor", "operator", "load", "postgresql")
ROOM = [f"{component}.resources.requests.cpu=10m" for component in COMPONENTS]

# A load of several seconds on one locked account: its requests wait for each other, so it lasts requests × window.
REQUESTS = 100
WINDOW_MILLISECONDS = 50


def helm(*arguments: str) -> str:
    """Run Helm and return what it says; fail the test with its error."""
    done = subprocess.run(["helm", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def eventually(what: str, condition: Callable[[], Found | None], seconds: float = 60) -> Found:
    """Ask until there is something; for what no watch tells. Fail the test with `what` after so long."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(POLL_SECONDS)
    return found


def spec(**changes: Any) -> Object:
    """Write a spec: one safe step of about five seconds on two replicas. `load` is merged, the rest replaced."""
    load = {"requests": REQUESTS, "concurrency": 10, "accounts": 1, **changes.pop("load", {})}
    step = {"strategies": ["row_lock"], "replicas": [2], "windowMilliseconds": [WINDOW_MILLISECONDS]}
    return {"scenario": "deposit", **step, **changes, "load": load}


QUICK = {"windowMilliseconds": [0], "load": {"requests": 20}}


@dataclass
class Lab:
    """One release in one namespace, which is watched."""

    namespace: str
    access: Access
    api: client.ApiClient
    watching: Watching

    def install(self, *values: str) -> None:
        """Install or upgrade the chart with this session's image; `values`: NAME=VALUE, beside those of before."""
        repository, _, tag = os.environ["RACELAB_IMAGE"].rpartition(":")
        own = [f"image.repository={repository}", f"image.tag={tag}", "crds.install=false", *ROOM, *values]
        flags = ("--reset-then-reuse-values", "--wait", f"--timeout={INSTALL_SECONDS}s", f"--set={','.join(own)}")
        helm("upgrade", "--install", RELEASE, str(CHART), f"--namespace={self.namespace}", *flags)

    def uninstall(self) -> None:
        """Uninstall the chart, and wait for its objects to go."""
        helm("uninstall", RELEASE, f"--namespace={self.namespace}", "--wait", f"--timeout={INSTALL_SECONDS}s")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in the lab's namespace."""
        return kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    # Experiments

    def make(self, name: str, spec: Object) -> None:
        """Make an experiment."""
        manifest = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "RaceExperiment",
            "metadata": {"name": name},
            "spec": spec,
        }
        client.CustomObjectsApi(self.api).create_namespaced_custom_object(
            GROUP, VERSION, self.namespace, PLURAL, manifest
        )

    def edit(self, name: str, spec: Object) -> None:
        """Merge something into an experiment's spec."""
        client.CustomObjectsApi(self.api).patch_namespaced_custom_object(
            GROUP, VERSION, self.namespace, PLURAL, name, {"spec": spec}
        )

    def delete(self, name: str) -> None:
        """Ask for an experiment to be deleted."""
        client.CustomObjectsApi(self.api).delete_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def race(self, name: str) -> Object:
        """Give an experiment as it was last seen; nothing in it when it is not there."""
        return self.watching.get("race", name) or {}

    def status(self, name: str) -> Object:
        """Give its status as it was last seen."""
        status: Object = self.race(name).get("status") or {}
        return status

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        """Give status and reason of a condition; empty when there is none."""
        for condition in self.status(name).get("conditions", ()):
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return "", ""

    def reaches(self, name: str, stage: str, *, step: int = 0, seconds: float = 60) -> Object:
        """Wait until an experiment is in a stage of a step; its status."""

        def there() -> Object | None:
            status = self.status(name)
            assert not status.get("completionTime") or stage == "report", f"{name} has ended: {status['message']}"
            at = (status.get("stage"), status.get("step", {}).get("index"))
            return status if at == (stage, step) else None

        return self.watching.wait(f"{name} to be in {stage} of step {step}", there, seconds)

    def is_loaded(self, name: str, *, step: int = 0, seconds: float = 60) -> Object:
        """Wait until a step's generators have started to send; the experiment's status."""

        def there() -> Object | None:
            status = self.status(name)
            assert not status.get("completionTime"), f"{name} has ended: {status['message']}"
            sending = status.get("stage") == "load" and status.get("progress", {}).get("gateDecided")
            return status if sending and status["step"]["index"] == step else None

        return self.watching.wait(f"the load of {name}", there, seconds)

    def is_gone(self, name: str, seconds: float = 60) -> None:
        """Wait until an experiment is not there any more."""
        self.watching.wait(f"{name} to be gone", lambda: not self.race(name), seconds)

    def ends(self, name: str, seconds: float = FINISH_SECONDS) -> Object:
        """Wait until an experiment has ended and left nothing running; its status."""
        self.watching.wait(f"{name} to end", lambda: self.status(name).get("completionTime"), seconds)
        self.is_at_rest()
        return self.status(name)

    def confirms(self, name: str, seconds: float = FINISH_SECONDS) -> Object:
        """Wait until an experiment has ended, with every step Confirmed; its status."""
        status = self.ends(name, seconds)
        others = [step["reason"] for step in status["steps"] if step["verdict"] != "Confirmed"]
        assert not others, others
        assert status["verdict"] == "Confirmed", status["message"]
        return status

    def is_at_rest(self) -> None:
        """Wait until the bank has the replicas that it had, and no load is at work."""
        self.watching.wait("the replicas to be given back", lambda: self.replicas == REPLICAS_BEFORE, 30)
        self.watching.wait("loads to end", lambda: not self.working_loads(), 45)

    # What there is

    @property
    def replicas(self) -> int | None:
        """How many replicas the bank should have; None when it is not there."""
        bank = self.watching.get("deployment", BANK)
        return None if bank is None else int(bank["spec"]["replicas"])

    def working_loads(self) -> list[str]:
        """Name the Pods of generators that have not ended."""
        pods = self.watching.all("pod", component="load")
        return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") in {"Pending", "Running"}]

    def pods(self, component: str) -> list[Object]:
        """Give the Pods of a component that are not about to go."""
        return [one for one in self.watching.all("pod", component=component) if _is_staying(one)]

    def ready(self, component: str, *, but: str = "", seconds: float = 90) -> str:
        """Wait until one Pod of a component is ready, another one than `but`; its name."""

        def found() -> str | None:
            names = [pod["metadata"]["name"] for pod in self.pods(component) if _is_ready(pod)]
            return next((name for name in names if name != but), None)

        return self.watching.wait(f"a ready Pod of the {component}", found, seconds)

    def load_pods(self, name: str) -> set[tuple[str, str]]:
        """Give every Pod that an experiment's generators ever had: its Job, and its own name."""
        pods = [change.object["metadata"] for change in list(self.watching.changes) if change.kind == "pod"]
        return {
            (pod["labels"]["batch.kubernetes.io/job-name"], pod["name"])
            for pod in pods
            if pod.get("labels", {}).get("racelab.dev/experiment") == name
        }

    def run_key(self, name: str, step: int = 0) -> str:
        """Name the run of a step."""
        self.watching.wait(f"{name} to be seen", lambda: self.race(name))
        return f"{name}-{self.race(name)['metadata']['uid'][:5]}-{step}"

    # The auditor

    @contextlib.contextmanager
    def auditor(self) -> Iterator[ReachedAuditor]:
        """Reach the auditor; each time anew, since tests restart it."""
        self.ready("auditor")
        with auditor_of(self.access, self.namespace) as reached:
            yield reached

    def audit(self, key: str) -> Audit:
        """Give a run's audit."""

        def asked() -> Audit | None:
            with contextlib.suppress(RacelabError), self.auditor() as reached:
                return reached.client.audit(key)
            return None

        return eventually(f"the audit of {key}", asked)

    def ran_once(self, name: str, requests: int = REQUESTS, *, steps: int = 1) -> None:
        """See that each step's load was sent once: as many entries as requests, all told as applied, by one Pod."""
        status = self.status(name)
        assert [step["operations"] for step in status["steps"]] == [{"ok": requests, "fail": 0, "info": 0}] * steps
        assert [self.audit(step["run"]).entries for step in status["steps"]] == [requests] * steps
        assert [job for job, _ in sorted(self.load_pods(name))] == [f"{step['run']}-load" for step in status["steps"]]

    # Faults

    def kill(self, pod: str) -> None:
        """Kill a Pod at once, as a node that is lost does."""
        client.CoreV1Api(self.api).delete_namespaced_pod(pod, self.namespace, grace_period_seconds=0)

    def kill_component(self, component: str) -> str:
        """Kill the Pod of a component; its name."""
        [pod] = self.pods(component)
        self.kill(name := pod["metadata"]["name"])
        return str(name)

    def execute(self, pod: str, *command: str) -> None:
        """Run a command in a Pod; that it ends badly is no matter, since it may end the Pod."""
        arguments = ["kubectl", "--namespace", self.namespace, "exec", pod, "--", *command]
        subprocess.run(arguments, capture_output=True, check=False)

    @contextlib.contextmanager
    def held_transaction(self, statement: str) -> Iterator[None]:
        """Keep a transaction of the database open in which a statement was executed."""
        psql = ["psql", "--username=racelab", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
        command = ["kubectl", "--namespace", self.namespace, "exec", "--stdin", f"{RELEASE}-postgresql-0", "--", *psql]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            assert session.stdin is not None
            assert session.stdout is not None
            session.stdin.write(f"BEGIN;\n{statement};\n\\echo held\n")
            session.stdin.flush()
            said = iter(session.stdout.readline, "")
            assert "held\n" in said, f"psql did not execute {statement}"
            try:
                yield
            finally:
                session.stdin.write("COMMIT;\n")
                session.stdin.close()
                session.wait(30)


def _is_staying(pod: Object) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in {"Succeeded", "Failed"}


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


@contextlib.contextmanager
def fresh_lab(*values: str) -> Iterator[Lab]:
    """Install the chart into a namespace of its own that enforces restricted Pod Security."""
    reached = access(None)
    api = reached.connect()
    with fresh_namespace() as namespace, Watching(api, namespace) as watching:
        lab = Lab(namespace, reached, api, watching)
        lab.install(*values)
        yield lab
