"""The objects this chart renders, as types that refuse what Kubernetes would refuse or silently drop."""

from tests.chart.kube.admission import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from tests.chart.kube.base import Kube, Labels, Part, Selector
from tests.chart.kube.config import ConfigMap, Role, RoleBinding, Secret, ServiceAccount
from tests.chart.kube.custom import HTTPRoute, PodMonitor, ServiceMonitor
from tests.chart.kube.network import Ingress, NetworkPolicy, Service
from tests.chart.kube.pods import Container, PodSpec
from tests.chart.kube.scaling import HorizontalPodAutoscaler, ScaledObject, TriggerAuthentication
from tests.chart.kube.workloads import (
    Deployment,
    Job,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    StatefulSet,
)

KINDS: tuple[type[Kube], ...] = (
    ConfigMap,
    Deployment,
    HTTPRoute,
    HorizontalPodAutoscaler,
    Ingress,
    Job,
    NetworkPolicy,
    PersistentVolumeClaim,
    Pod,
    PodDisruptionBudget,
    PodMonitor,
    Role,
    RoleBinding,
    ScaledObject,
    Secret,
    Service,
    ServiceAccount,
    ServiceMonitor,
    StatefulSet,
    TriggerAuthentication,
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
)

__all__ = [
    "KINDS",
    "ConfigMap",
    "Container",
    "Deployment",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "Kube",
    "Labels",
    "NetworkPolicy",
    "Part",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodMonitor",
    "PodSpec",
    "Role",
    "RoleBinding",
    "ScaledObject",
    "Secret",
    "Selector",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
    "StatefulSet",
    "TriggerAuthentication",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
]
