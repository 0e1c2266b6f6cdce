"""What breaks, or gets in the way, while pools scale. Each is a function that returns when it is over."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial

from tests.e2e.manifests import Manifest
from tests.e2e.scaling.controllers import Controllers
from tests.e2e.scaling.installation import Installation
from tests.e2e.scaling.seen import Seen, What
from tests.waiting import wait_until

STEP = 120
"""Seconds within which a step of the drain is seen: pools scale in all the time."""
SHORT = 5
"""Seconds that what is refused stays refused."""

OCCUPIERS = 3
PAUSE = 0.05
NEVER = 10**11
"""A version of the cluster's state that is far in the future."""

RIVAL = "rival"
"""Field manager of the one who scales at the same time."""

Fault = Callable[[Installation, Controllers], None]


def _marked(seen: Seen) -> bool:
    return seen.what is What.MARKED


def _not_ready(seen: Seen) -> bool:
    return seen.what is What.NOT_READY


def _costed(seen: Seen) -> bool:
    return seen.what is What.COSTED


def _going(seen: Seen) -> bool:
    return seen.what is What.GOING


def _scaled_in(seen: Seen) -> bool:
    return seen.scale_in


STEPS: Mapping[str, Callable[[Seen], bool]] = {
    "workers marked": _marked,
    "victim not ready": _not_ready,
    "deletion cost set": _costed,
    "intent written": _going,
    "number lowered": _scaled_in,
}
"""The steps of the drain, as they show outside."""


def kill_leader(step: str, installation: Installation, controllers: Controllers) -> None:
    """Kill the leader at the very moment a step shows; another one goes on from what it finds."""
    chronicle = installation.watching.chronicle
    leader = controllers.prepare()
    chronicle.wait(STEPS[step], STEP, what=step)
    position = chronicle.position
    controllers.replace(leader, controllers.kill(leader), position)


def restart_redis(installation: Installation, controllers: Controllers) -> None:
    """Delete Redis's pod while workers are marked."""
    installation.watching.chronicle.wait(_marked, STEP, what="a mark")
    [before] = installation.release.pods("redis")
    installation.namespace.kubectl("delete", "pod", before.metadata.name, "--wait=false")

    def back() -> bool:
        pods = [pod for pod in installation.release.pods("redis") if pod.metadata.uid != before.metadata.uid]
        return any(status.ready for pod in pods for status in pod.status.container_statuses or [])

    wait_until(back, 60, what="Redis to be back", every=0.3)


def rival_scales(installation: Installation, controllers: Controllers) -> None:
    """Have another client raise the number just when the controller is about to lower it."""
    seen = installation.watching.chronicle.wait(_costed, STEP, what="a deletion cost")
    scale = {"spec": {"replicas": installation.watching.replicas(seen.pool) + 1}}
    installation.namespace.cluster.apps.patch_namespaced_deployment_scale(
        installation.deployment(seen.pool), installation.namespace.name, scale, field_manager=RIVAL
    )


def rival_touches(installation: Installation, controllers: Controllers) -> None:
    """Have another client change the Deployments all the time, so that their version is never the one just read."""
    apps, until = installation.namespace.cluster.apps, time.monotonic() + SHORT
    while time.monotonic() < until:
        for pool in installation.pools:
            note = {"metadata": {"annotations": {"rival": str(time.monotonic())}}}
            apps.patch_namespaced_deployment(installation.deployment(pool), installation.namespace.name, note)


def throttle(installation: Installation, controllers: Controllers) -> None:
    """Have the API server answer the controller with 429: one request at a time is let through, and that is ours."""
    name = installation.namespace.name
    account = {"name": f"{installation.release.fullname}-controller", "namespace": name}
    subject = {"kind": "ServiceAccount", "serviceAccount": account}
    rule = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    kind = "flowcontrol.apiserver.k8s.io/v1"
    limited = {"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0}
    level = {"type": "Limited", "limited": limited | {"limitResponse": {"type": "Reject"}}}
    schema = {
        "priorityLevelConfiguration": {"name": name},
        "matchingPrecedence": 2,
        "rules": [{"subjects": [subject], "resourceRules": [rule]}],
    }
    with _applied(
        installation,
        {"apiVersion": kind, "kind": "PriorityLevelConfiguration", "metadata": {"name": name}, "spec": level},
        {"apiVersion": kind, "kind": "FlowSchema", "metadata": {"name": name}, "spec": schema},
    ):
        threads = [threading.Thread(target=_occupy, args=(installation,)) for _ in range(OCCUPIERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _occupy(installation: Installation) -> None:
    """Send requests in the controller's name that take 3 s: the API server waits for a version that never comes."""
    name, client = installation.namespace.name, installation.namespace.cluster.core.api_client
    path = f"/api/v1/namespaces/{name}/pods?resourceVersion={NEVER}&resourceVersionMatch=NotOlderThan"
    account = f"system:serviceaccount:{name}:{installation.release.fullname}-controller"
    headers = {"Impersonate-User": account, "Accept": "application/json"}
    until = time.monotonic() + SHORT
    while time.monotonic() < until:
        client.call_api("GET", client.configuration.host + path, headers).read()
        time.sleep(PAUSE)


def forbid(installation: Installation, controllers: Controllers) -> None:
    """Take all rights of the controller away, and give them back."""
    binding = f"rolebinding/{installation.release.fullname}-controller"
    kubectl = installation.namespace.kubectl
    manifest = json.loads(kubectl("get", binding, "--output=json"))
    manifest["metadata"] = {key: manifest["metadata"][key] for key in ("name", "labels", "annotations")}
    installation.watching.chronicle.wait(_marked, STEP, what="a mark")
    kubectl("delete", binding)
    try:
        time.sleep(SHORT)
    finally:
        installation.namespace.apply(manifest)


def fill_quota(installation: Installation, controllers: Controllers) -> None:
    """Leave no room for one more pod."""
    pods = len(installation.namespace.pods())
    quota: Manifest = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}}
    with _applied(installation, quota | {"spec": {"hard": {"pods": str(pods)}}}):
        time.sleep(SHORT)


def roll_out(installation: Installation, controllers: Controllers) -> None:
    """Change a pool's template while it scales in, and see the rollout end."""
    seen = installation.watching.chronicle.wait(_marked, STEP, what="a mark")
    deployment = f"deployment/{installation.deployment(seen.pool)}"
    installation.namespace.kubectl("set", "env", deployment, f"CHANGED={time.monotonic():.0f}")
    installation.namespace.kubectl("rollout", "status", deployment, "--timeout=120s", timeout=130)


def person_scales(installation: Installation, controllers: Controllers) -> None:
    """Put a number on a Deployment with `kubectl scale`."""
    seen = installation.watching.chronicle.wait(_scaled_in, STEP, what="a scale-in")
    number = max(1, installation.watching.replicas(seen.pool)) + 1
    installation.namespace.kubectl("scale", f"deployment/{installation.deployment(seen.pool)}", f"--replicas={number}")


FAULTS: Mapping[str, Fault] = {
    **{f"leader killed: {step}": partial(kill_leader, step) for step in STEPS},
    "Redis restarted": restart_redis,
    "number raised by another client": rival_scales,
    "Deployment changed by another client": rival_touches,
    "API: too many requests": throttle,
    "API: forbidden": forbid,
    "quota full": fill_quota,
    "rollout": roll_out,
    "`kubectl scale` by a person": person_scales,
}


@contextmanager
def _applied(installation: Installation, *objects: Manifest) -> Generator[None]:
    installation.namespace.apply(*objects)
    try:
        yield
    finally:
        for each in objects:
            installation.namespace.kubectl("delete", each["kind"], each["metadata"]["name"], "--wait=false")
