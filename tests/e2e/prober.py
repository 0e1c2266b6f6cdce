"""A client inside the cluster that asks the API again and again, and counts what failed.

It asks through the Service's address, as other pods do, on a new connection each time: kept ones would hide a pod that
is taken out of the Service too late.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.manifests import CONTAINER_SECURITY, POD_SECURITY, Manifest
from tests.e2e.release import Release
from tests.e2e.values import PROBER_IMAGE
from tests.waiting import wait_until

_SCRIPT = Path(__file__).with_name("prober_script.py")


@dataclass(frozen=True)
class Answer:
    """What one request brought."""

    at: float
    status: int
    """0: no answer."""
    path: str
    error: str | None = None
    retry_after: str | None = None
    job: str | None = None
    """The job it submitted."""


@dataclass
class Probe:
    """All answers; complete when the prober has ended."""

    answers: list[Answer] = field(default_factory=list)

    @property
    def failures(self) -> list[Answer]:
        return [answer for answer in self.answers if not 200 <= answer.status < 300]

    @property
    def refused(self) -> list[Answer]:
        """The failures that say when to come again."""
        return [answer for answer in self.failures if answer.status == 503 and answer.retry_after]

    @property
    def jobs(self) -> list[str]:
        return [answer.job for answer in self.answers if answer.job]


@contextmanager
def probing(release: Release, *, job_type: str = "") -> Generator[Probe]:
    """Ask the release's API while the block runs: for its queues, and with a job type also to run short jobs."""
    namespace, name = release.namespace, f"prober-{release.name}"
    script: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    namespace.apply(script | {"data": {"prober.py": _SCRIPT.read_text()}}, _pod(release, name, job_type))
    namespace.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    probe = Probe()
    yield probe
    before = len(namespace.logs(name).splitlines())
    # Answers that were under way when the block ended are part of it.
    wait_until(lambda: len(namespace.logs(name).splitlines()) >= before + 20, 30, what="more answers", every=0.5)
    probe.answers += [Answer(**json.loads(line)) for line in namespace.logs(name).splitlines()]
    namespace.kubectl("delete", f"configmap/{name}", f"pod/{name}", "--grace-period=0", "--force")


def _pod(release: Release, name: str, job_type: str) -> Manifest:
    key = {"name": f"{release.fullname}-api-keys", "key": "key"}
    container = {
        "name": "prober",
        "image": PROBER_IMAGE,
        "command": ["python", "-u", "/prober/prober.py"],
        "env": [
            {"name": "API", "value": f"http://{release.fullname}-api:8000"},
            {"name": "JOB_TYPE", "value": job_type},
            {"name": "API_KEY", "valueFrom": {"secretKeyRef": key}},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "script", "mountPath": "/prober"}],
    }
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": POD_SECURITY,
        "containers": [container],
        "volumes": [{"name": "script", "configMap": {"name": name}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
