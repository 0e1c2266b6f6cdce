"""Sees to it that KEDA's HPAs look at our metric, whoever came first.

The problem: KEDA asks for the metric when it sees a ScaledObject. At an install that is before the controller serves,
and KEDA then makes an HPA without a metric, which Kubernetes turns into one for CPU. As long as a fallback is set
KEDA does not look again (2.19): the pool would leave zero and never grow beyond one worker.

The remedy: KEDA does look again when the annotation `force-activation` changes, also between two words for "no".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from heavylift_controller.cluster.api import MERGE_PATCH, Api, ApiError, JsonObject
from heavylift_controller.cluster.fields import Json, parts, text, texts, value
from heavylift_controller.keda.constants import METRIC, POOL

GROUP, PLURAL = "keda.sh/v1alpha1", "scaledobjects"

FORCE = "autoscaling.keda.sh/force-activation"
NO, ALSO_NO = "false", "0"

SOON, LATER = 5.0, 60.0
"""Seconds until the next look, while one is not registered and otherwise. KEDA takes about a second."""

NOT_FOUND = 404

log = structlog.get_logger()


class Registration:
    """Looks after the ScaledObjects named like the Deployments they scale. They are the chart's."""

    def __init__(self, api: Api, deployments: Callable[[], Iterable[str]]) -> None:
        self._api = api
        self._deployments = deployments

    def turn(self) -> float:
        """Look at each; returns the seconds to the next turn. Raises ApiError."""
        asked = [self._register(name) for name in self._deployments()]
        return SOON if any(asked) else LATER

    def _register(self, name: str) -> bool:
        """Return whether KEDA had to be asked."""
        path = self._api.path(GROUP, PLURAL, name)
        try:
            scaled = self._api.request("GET", path)
        except ApiError as error:
            if error.status == NOT_FOUND:  # this pool is scaled by something else
                return False
            raise
        change = reminder(scaled)
        if change is None:
            return False
        self._api.request("PATCH", path, change, content_type=MERGE_PATCH)
        log.info("keda_reminded", scaled_object=name)
        return True


def reminder(scaled: Json) -> JsonObject | None:
    """Return what to change of a ScaledObject for KEDA to ask for the metrics of its triggers, if it has not."""
    ours = [
        f"s{index}-{METRIC}"
        for index, trigger in enumerate(parts(scaled, "spec", "triggers"))
        if text(trigger, "type").startswith("external") and text(trigger, "metadata", POOL)
    ]
    known = value(scaled, "status", "externalMetricNames")
    force = texts(scaled, "metadata", "annotations").get(FORCE, "")
    if set(ours) <= set(known if isinstance(known, list) else []) or force not in ("", NO, ALSO_NO):
        return None
    return {"metadata": {"annotations": {FORCE: ALSO_NO if force == NO else NO}}}
