"""What changes the number of pods: the HPA, and KEDA's ScaledObject."""

from typing import Annotated, Literal

from pydantic import Field

from tests.chart.kube.base import DnsLabel, Kube, Part, Quantity, UsersOwn
from tests.chart.kube.pods import Seconds

Count = Annotated[int, Field(ge=0)]


class ScaleTarget(Part):
    """The object whose replicas are set."""

    name: DnsLabel
    kind: Literal["Deployment", "StatefulSet"]
    api_version: Literal["apps/v1"]


class MetricTarget(Part):
    """The value a metric is held at."""

    type: Literal["Utilization", "AverageValue", "Value"]
    average_utilization: Count | None = None
    average_value: Quantity | None = None
    value: Quantity | None = None


class ResourceMetric(Part):
    """The pods' cpu or memory."""

    name: Literal["cpu", "memory"]
    target: MetricTarget


class ContainerMetric(Part):
    """One container's cpu or memory."""

    name: Literal["cpu", "memory"]
    container: DnsLabel
    target: MetricTarget


class Metric(Part):
    """What an HPA looks at."""

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    resource: ResourceMetric | None = None
    container_resource: ContainerMetric | None = None
    pods: UsersOwn | None = None
    object: UsersOwn | None = None
    external: UsersOwn | None = None


class ScalingPolicy(Part):
    """How much may change within a period."""

    type: Literal["Pods", "Percent"]
    value: Count
    period_seconds: Seconds


class ScalingRules(Part):
    """How fast the number may change in one direction."""

    stabilization_window_seconds: Seconds | None = None
    select_policy: Literal["Max", "Min", "Disabled"] | None = None
    policies: list[ScalingPolicy] = []
    tolerance: Quantity | None = None


class Behavior(Part):
    """How fast the number may change."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class HpaSpec(Part):
    """Between which numbers, by what."""

    scale_target_ref: ScaleTarget
    min_replicas: Count | None = None
    max_replicas: Annotated[int, Field(ge=1)]
    metrics: list[Metric] = []
    behavior: Behavior | None = None


class HorizontalPodAutoscaler(Kube):
    """autoscaling/v2 HorizontalPodAutoscaler."""

    api_version: Literal["autoscaling/v2"]
    kind: Literal["HorizontalPodAutoscaler"]
    spec: HpaSpec


class KedaTarget(Part):
    """The object KEDA scales, a Deployment unless said otherwise."""

    name: DnsLabel
    kind: Literal["Deployment", "StatefulSet"] = "Deployment"
    api_version: Literal["apps/v1"] = "apps/v1"
    env_source_container_name: DnsLabel | None = None


class AuthenticationRef(Part):
    """The TriggerAuthentication of a trigger."""

    name: DnsLabel
    kind: Literal["TriggerAuthentication", "ClusterTriggerAuthentication"] = "TriggerAuthentication"


class Trigger(Part):
    """What KEDA looks at. All of its metadata are strings."""

    type: str
    name: str | None = None
    metric_type: Literal["AverageValue", "Value", "Utilization"] | None = None
    use_cached_metrics: bool | None = None
    metadata: dict[str, str]
    authentication_ref: AuthenticationRef | None = None


class Fallback(Part):
    """The number of pods while the metric cannot be read."""

    failure_threshold: Count
    replicas: Count
    behavior: Literal["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"] | None = None


class HpaOfKeda(Part):
    """The HPA that KEDA makes."""

    name: DnsLabel | None = None
    behavior: Behavior | None = None


class Advanced(Part):
    """More about the HPA."""

    restore_to_original_replica_count: bool | None = None
    horizontal_pod_autoscaler_config: HpaOfKeda | None = None
    scaling_modifiers: UsersOwn | None = None


class ScaledObjectSpec(Part):
    """Between which numbers, by what."""

    scale_target_ref: KedaTarget
    polling_interval: Seconds | None = None
    cooldown_period: Seconds | None = None
    initial_cooldown_period: Seconds | None = None
    idle_replica_count: Count | None = None
    min_replica_count: Count | None = None
    max_replica_count: Annotated[int, Field(ge=1)] | None = None
    fallback: Fallback | None = None
    advanced: Advanced | None = None
    triggers: Annotated[list[Trigger], Field(min_length=1)]


class ScaledObject(Kube):
    """keda.sh/v1alpha1 ScaledObject."""

    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["ScaledObject"]
    spec: ScaledObjectSpec


class SecretParameter(Part):
    """A trigger's parameter from a Secret."""

    parameter: str
    name: DnsLabel
    key: str


class EnvParameter(Part):
    """A trigger's parameter from the target's environment."""

    parameter: str
    name: str
    container_name: DnsLabel | None = None


class TriggerAuthenticationSpec(Part):
    """Where the parameters come from."""

    secret_target_ref: list[SecretParameter] = []
    config_map_target_ref: list[SecretParameter] = []
    env: list[EnvParameter] = []


class TriggerAuthentication(Kube):
    """keda.sh/v1alpha1 TriggerAuthentication."""

    api_version: Literal["keda.sh/v1alpha1"]
    kind: Literal["TriggerAuthentication"]
    spec: TriggerAuthenticationSpec
