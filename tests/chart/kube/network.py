"""How pods are reached, and who may."""

from typing import Annotated, Literal

from pydantic import Field

from tests.chart.kube.base import DnsLabel, Kube, Labels, OneOf, Part, Port, PortName, PortRef, Selector


class ServicePort(Part):
    """A port of a Service."""

    name: PortName
    port: Port
    target_port: PortRef | None = None
    node_port: Annotated[int, Field(ge=30000, le=32767)] | None = None
    protocol: Literal["TCP", "UDP"] = "TCP"
    app_protocol: str | None = None


class ServiceSpec(Part):
    """Which pods a Service reaches, and how."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    cluster_ip: str | None = Field(None, alias="clusterIP")
    selector: Labels
    ports: list[ServicePort]
    publish_not_ready_addresses: bool | None = None
    ip_family_policy: Literal["SingleStack", "PreferDualStack", "RequireDualStack"] | None = None
    external_traffic_policy: Literal["Cluster", "Local"] | None = None
    internal_traffic_policy: Literal["Cluster", "Local"] | None = None
    traffic_distribution: str | None = None
    load_balancer_class: str | None = None
    load_balancer_source_ranges: list[str] = []
    session_affinity: Literal["None", "ClientIP"] | None = None


class Service(Kube):
    """v1 Service."""

    api_version: Literal["v1"]
    kind: Literal["Service"]
    spec: ServiceSpec


class BackendPort(OneOf):
    """A Service's port, by name or number."""

    name: PortName | None = None
    number: Port | None = None


class BackendService(Part):
    """A Service behind an Ingress."""

    name: DnsLabel
    port: BackendPort


class Backend(Part):
    """What an Ingress leads to."""

    service: BackendService


class IngressPath(Part):
    """A path of a host."""

    path: Annotated[str, Field(pattern="^/")]
    path_type: Literal["Prefix", "Exact", "ImplementationSpecific"]
    backend: Backend


class IngressHttp(Part):
    """The paths of a host."""

    paths: Annotated[list[IngressPath], Field(min_length=1)]


class IngressRule(Part):
    """A host and its paths."""

    host: str | None = None
    http: IngressHttp


class IngressTls(Part):
    """Hosts and the Secret of their certificate."""

    hosts: list[str] = []
    secret_name: DnsLabel | None = None


class IngressSpec(Part):
    """Hosts, paths, certificates."""

    ingress_class_name: str | None = None
    rules: list[IngressRule]
    tls: list[IngressTls] = []


class Ingress(Kube):
    """networking.k8s.io/v1 Ingress."""

    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["Ingress"]
    spec: IngressSpec


class IpBlock(Part):
    """A range of addresses."""

    cidr: str
    except_: list[str] = Field([], alias="except")


class Peer(Part):
    """Who is on the other side: pods of namespaces, or addresses."""

    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: IpBlock | None = None


class PolicyPort(Part):
    """A port or a range of them."""

    port: PortRef | None = None
    end_port: Port | None = None
    protocol: Literal["TCP", "UDP"] = "TCP"


class IngressAllow(Part):
    """Traffic to the pod that is allowed; an empty list allows all."""

    from_: list[Peer] = Field([], alias="from")
    ports: list[PolicyPort] = []


class EgressAllow(Part):
    """Traffic from the pod that is allowed; an empty list allows all."""

    to: list[Peer] = []
    ports: list[PolicyPort] = []


class NetworkPolicySpec(Part):
    """Whose traffic is limited to what."""

    pod_selector: Selector
    policy_types: list[Literal["Ingress", "Egress"]]
    ingress: list[IngressAllow] = []
    egress: list[EgressAllow] = []


class NetworkPolicy(Kube):
    """networking.k8s.io/v1 NetworkPolicy."""

    api_version: Literal["networking.k8s.io/v1"]
    kind: Literal["NetworkPolicy"]
    spec: NetworkPolicySpec
