"""What makes pods, and what they keep."""

from typing import Annotated, Literal

from pydantic import Field

from tests.chart.kube.base import DnsLabel, IntOrPercent, Kube, Metadata, Part, Selector, UsersOwn
from tests.chart.kube.pods import PodSpec, PodTemplate, Replacement, Resources, Seconds

Count = Annotated[int, Field(ge=0)]


class DeploymentStrategy(Part):
    """How pods are replaced."""

    type: Literal["RollingUpdate", "Recreate"]
    rolling_update: Replacement | None = None


class DeploymentSpec(Part):
    """The desired pods of a Deployment."""

    replicas: Count | None = None
    selector: Selector
    template: PodTemplate
    strategy: DeploymentStrategy | None = None
    min_ready_seconds: Seconds | None = None
    progress_deadline_seconds: Seconds | None = None
    revision_history_limit: Count | None = None


class Deployment(Kube):
    """apps/v1 Deployment."""

    api_version: Literal["apps/v1"]
    kind: Literal["Deployment"]
    spec: DeploymentSpec


class ClaimSpec(Part):
    """What storage is asked for."""

    access_modes: list[Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]]
    resources: Resources
    storage_class_name: str | None = None
    volume_mode: Literal["Filesystem", "Block"] | None = None
    volume_name: str | None = None
    selector: Selector | None = None
    data_source: UsersOwn | None = None


class ClaimTemplate(Part):
    """A claim each pod of a StatefulSet gets."""

    api_version: Literal["v1"] | None = None
    kind: Literal["PersistentVolumeClaim"] | None = None
    metadata: Metadata
    spec: ClaimSpec


class PersistentVolumeClaim(Kube):
    """v1 PersistentVolumeClaim."""

    api_version: Literal["v1"]
    kind: Literal["PersistentVolumeClaim"]
    spec: ClaimSpec


class ClaimRetention(Part):
    """What becomes of the claims."""

    when_deleted: Literal["Retain", "Delete"]
    when_scaled: Literal["Retain", "Delete"]


class StatefulStrategy(Part):
    """How pods are replaced."""

    type: Literal["RollingUpdate", "OnDelete"]
    rolling_update: UsersOwn | None = None


class StatefulSetSpec(Part):
    """The desired pods of a StatefulSet."""

    replicas: Count | None = None
    service_name: DnsLabel
    selector: Selector
    template: PodTemplate
    volume_claim_templates: list[ClaimTemplate] = []
    persistent_volume_claim_retention_policy: ClaimRetention | None = None
    pod_management_policy: Literal["OrderedReady", "Parallel"] | None = None
    update_strategy: StatefulStrategy | None = None
    min_ready_seconds: Seconds | None = None
    revision_history_limit: Count | None = None


class StatefulSet(Kube):
    """apps/v1 StatefulSet."""

    api_version: Literal["apps/v1"]
    kind: Literal["StatefulSet"]
    spec: StatefulSetSpec


class Pod(Kube):
    """v1 Pod, as `helm test` starts one."""

    api_version: Literal["v1"]
    kind: Literal["Pod"]
    spec: PodSpec


class JobSpec(Part):
    """A Job's pod and its end."""

    template: PodTemplate
    backoff_limit: Count | None = None
    active_deadline_seconds: Seconds | None = None
    ttl_seconds_after_finished: Seconds | None = None


class Job(Kube):
    """batch/v1 Job."""

    api_version: Literal["batch/v1"]
    kind: Literal["Job"]
    spec: JobSpec


class DisruptionSpec(Part):
    """How many pods an eviction may take."""

    selector: Selector
    max_unavailable: IntOrPercent | None = None
    min_available: IntOrPercent | None = None
    unhealthy_pod_eviction_policy: Literal["IfHealthyBudget", "AlwaysAllow"] | None = None


class PodDisruptionBudget(Kube):
    """policy/v1 PodDisruptionBudget."""

    api_version: Literal["policy/v1"]
    kind: Literal["PodDisruptionBudget"]
    spec: DisruptionSpec
