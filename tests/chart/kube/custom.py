"""Objects whose definitions others install: the Prometheus operator's and the Gateway API's."""

from typing import Annotated, Literal

from pydantic import Field

from tests.chart.kube.base import DnsLabel, Kube, Part, Port, PortName, Selector, UsersOwn

Duration = Annotated[str, Field(pattern=r"^([0-9]+(ms|s|m|h))+$")]


class Relabeling(Part):
    """A rule that changes or drops labels."""

    source_labels: list[str] = []
    separator: str | None = None
    regex: str | None = None
    target_label: str | None = None
    replacement: str | None = None
    action: str | None = None


class Endpoint(Part):
    """What is scraped, and how often."""

    port: PortName
    path: str | None = None
    scheme: Literal["http", "https"] | None = None
    interval: Duration | None = None
    scrape_timeout: Duration | None = None
    honor_labels: bool | None = None
    relabelings: list[Relabeling] = []
    metric_relabelings: list[Relabeling] = []


class Namespaces(Part):
    """Where pods are looked for."""

    match_names: list[DnsLabel] = []
    any: bool | None = None


class ServiceMonitorSpec(Part):
    """Which Services are scraped."""

    selector: Selector
    endpoints: Annotated[list[Endpoint], Field(min_length=1)]
    namespace_selector: Namespaces | None = None
    job_label: str | None = None
    target_labels: list[str] = []
    sample_limit: int | None = None


class ServiceMonitor(Kube):
    """monitoring.coreos.com/v1 ServiceMonitor."""

    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["ServiceMonitor"]
    spec: ServiceMonitorSpec


class PodMonitorSpec(Part):
    """Which pods are scraped."""

    selector: Selector
    pod_metrics_endpoints: Annotated[list[Endpoint], Field(min_length=1)]
    namespace_selector: Namespaces | None = None
    job_label: str | None = None
    pod_target_labels: list[str] = []
    sample_limit: int | None = None


class PodMonitor(Kube):
    """monitoring.coreos.com/v1 PodMonitor."""

    api_version: Literal["monitoring.coreos.com/v1"]
    kind: Literal["PodMonitor"]
    spec: PodMonitorSpec


class ParentRef(Part):
    """The Gateway a route belongs to."""

    name: str
    namespace: DnsLabel | None = None
    section_name: str | None = None
    port: Port | None = None
    group: str | None = None
    kind: str | None = None


class PathMatch(Part):
    """A path, or what it begins with."""

    type: Literal["PathPrefix", "Exact", "RegularExpression"]
    value: str


class RouteMatch(Part):
    """Which requests."""

    path: PathMatch | None = None
    headers: list[UsersOwn] = []
    method: str | None = None


class BackendRef(Part):
    """The Service behind a route."""

    name: DnsLabel
    port: Port
    weight: int | None = None
    group: str | None = None
    kind: str | None = None
    namespace: DnsLabel | None = None


class RouteTimeouts(Part):
    """How long a request may take."""

    request: Duration | None = None
    backend_request: Duration | None = None


class RouteRule(Part):
    """Which requests go where."""

    matches: list[RouteMatch] = []
    filters: list[UsersOwn] = []
    backend_refs: list[BackendRef]
    timeouts: RouteTimeouts | None = None


class HttpRouteSpec(Part):
    """Gateways, hosts, rules."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1)]
    hostnames: list[str] = []
    rules: list[RouteRule]


class HTTPRoute(Kube):
    """gateway.networking.k8s.io/v1 HTTPRoute."""

    api_version: Literal["gateway.networking.k8s.io/v1"]
    kind: Literal["HTTPRoute"]
    spec: HttpRouteSpec
