"""Pods: containers, probes, volumes, security."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tests.chart.kube.base import (
    DnsLabel,
    EnvName,
    FileKey,
    IntOrPercent,
    LabelValue,
    OneOf,
    Part,
    Port,
    PortName,
    PortRef,
    Quantity,
    Selector,
    TemplateMetadata,
    UsersOwn,
)

Seconds = Annotated[int, Field(ge=0)]
Mode = Annotated[int, Field(ge=0, le=0o777)]
Path = Annotated[str, Field(pattern=r"^/")]


class KeyRef(Part):
    """One key of a Secret or ConfigMap."""

    name: DnsLabel
    key: FileKey
    optional: bool = False


class FieldRef(Part):
    """A field of the pod itself, by the downward API."""

    field_path: str
    api_version: str | None = None


class ResourceFieldRef(Part):
    """A request or limit of the container itself."""

    resource: str
    container_name: DnsLabel | None = None
    divisor: Quantity | None = None


class EnvSource(OneOf):
    """Where the value of a variable comes from."""

    secret_key_ref: KeyRef | None = None
    config_map_key_ref: KeyRef | None = None
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None


class EnvVar(Part):
    """One environment variable."""

    name: EnvName
    value: str | None = None
    value_from: EnvSource | None = None


class LocalRef(Part):
    """A Secret that holds an image registry's credentials."""

    name: DnsLabel


class NameRef(Part):
    """A whole Secret or ConfigMap."""

    name: DnsLabel
    optional: bool = False


class EnvFrom(Part):
    """All keys of a Secret or ConfigMap as variables."""

    prefix: str | None = None
    secret_ref: NameRef | None = None
    config_map_ref: NameRef | None = None


class Header(Part):
    """A header of an HTTP probe."""

    name: str
    value: str


class HttpGet(Part):
    """An HTTP request of the kubelet."""

    path: Path
    port: PortRef
    host: str | None = None
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    http_headers: list[Header] = []


class Exec(Part):
    """A command in the container."""

    command: list[str]


class TcpSocket(Part):
    """A connection attempt."""

    port: PortRef


class Sleep(Part):
    """A pause, made by the kubelet: the image needs no shell."""

    seconds: Seconds


class Hook(OneOf):
    """What happens after the start or before SIGTERM."""

    http_get: HttpGet | None = None
    exec: Exec | None = None
    sleep: Sleep | None = None


class Lifecycle(Part):
    """The hooks of a container."""

    pre_stop: Hook | None = None
    post_start: Hook | None = None


class Probe(Part):
    """A health check of the kubelet."""

    http_get: HttpGet | None = None
    exec: Exec | None = None
    tcp_socket: TcpSocket | None = None
    initial_delay_seconds: Seconds | None = None
    period_seconds: Seconds | None = None
    timeout_seconds: Seconds | None = None
    success_threshold: Seconds | None = None
    failure_threshold: Seconds | None = None
    termination_grace_period_seconds: Seconds | None = None

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        if sum(action is not None for action in (self.http_get, self.exec, self.tcp_socket)) != 1:
            raise ValueError("a probe has exactly one of httpGet, exec and tcpSocket")
        return self

    @property
    def action(self) -> HttpGet | Exec | TcpSocket | None:
        """What is asked, without how often."""
        return self.http_get or self.exec or self.tcp_socket


class ContainerPort(Part):
    """A port the container listens on."""

    name: PortName | None = None
    container_port: Port
    protocol: Literal["TCP", "UDP"] = "TCP"


class Resources(Part):
    """Requests and limits."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Capabilities(Part):
    """Linux capabilities, added and dropped."""

    add: list[str] = []
    drop: list[str] = []


class Seccomp(Part):
    """The seccomp profile."""

    type: Literal["RuntimeDefault", "Localhost", "Unconfined"]
    localhost_profile: str | None = None


class ContainerSecurity(Part):
    """SecurityContext of a container."""

    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    read_only_root_filesystem: bool | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    seccomp_profile: Seccomp | None = None


class PodSecurity(Part):
    """SecurityContext of a pod."""

    fs_group: int | None = None
    fs_group_change_policy: Literal["OnRootMismatch", "Always"] | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    seccomp_profile: Seccomp | None = None
    supplemental_groups: list[int] = []


class Mount(Part):
    """Where a volume appears in a container."""

    name: DnsLabel
    mount_path: Path
    sub_path: str | None = None
    read_only: bool = False


class Container(Part):
    """One container."""

    name: DnsLabel
    image: str
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    command: list[str] = []
    args: list[str] = []
    env: list[EnvVar] = []
    env_from: list[EnvFrom] = []
    ports: list[ContainerPort] = []
    resources: Resources | None = None
    security_context: ContainerSecurity | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    volume_mounts: list[Mount] = []
    working_dir: Path | None = None
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] | None = None
    restart_policy: Literal["Always"] | None = None

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        # Server-side apply refuses the first two; of the third the kubelet would refuse the pod.
        _unique("env", [variable.name for variable in self.env])
        _unique("ports", [f"{port.container_port}/{port.protocol}" for port in self.ports])
        _unique("volumeMounts", [mount.mount_path for mount in self.volume_mounts])
        _unique("port names", [port.name for port in self.ports if port.name])
        return self


class Item(Part):
    """A key of a Secret or ConfigMap and the file it becomes."""

    key: FileKey
    path: str
    mode: Mode | None = None


class SecretVolume(Part):
    """A Secret as a folder."""

    secret_name: DnsLabel
    items: list[Item] = []
    default_mode: Mode | None = None
    optional: bool = False


class ConfigMapVolume(Part):
    """A ConfigMap as a folder."""

    name: DnsLabel
    items: list[Item] = []
    default_mode: Mode | None = None
    optional: bool = False


class EmptyDir(Part):
    """A folder that lives as long as the pod."""

    medium: Literal["", "Memory"] | None = None
    size_limit: Quantity | None = None


class ClaimVolume(Part):
    """A PersistentVolumeClaim by name."""

    claim_name: DnsLabel
    read_only: bool = False


class TokenProjection(Part):
    """A service account's token with an end."""

    path: str
    expiration_seconds: Seconds | None = None
    audience: str | None = None


class DownwardFile(Part):
    """A field of the pod as a file."""

    path: str
    field_ref: FieldRef | None = None
    resource_field_ref: ResourceFieldRef | None = None
    mode: Mode | None = None


class DownwardItems(Part):
    """Fields of the pod within a projected volume."""

    items: list[DownwardFile] = []


class DownwardVolume(DownwardItems):
    """Fields of the pod as a folder."""

    default_mode: Mode | None = None


class ProjectedItems(Part):
    """A Secret's or ConfigMap's keys within a projected volume."""

    name: DnsLabel
    items: list[Item] = []
    optional: bool = False


class Projection(OneOf):
    """One source of a projected volume."""

    service_account_token: TokenProjection | None = None
    secret: ProjectedItems | None = None
    config_map: ProjectedItems | None = None
    downward_api: DownwardItems | None = Field(None, alias="downwardAPI")


class ProjectedVolume(Part):
    """Several sources in one folder."""

    sources: list[Projection]
    default_mode: Mode | None = None


class HostPath(Part):
    """A folder of the node."""

    path: Path
    type: str | None = None


class Volume(Part):
    """A volume and its one source."""

    name: DnsLabel
    secret: SecretVolume | None = None
    config_map: ConfigMapVolume | None = None
    empty_dir: EmptyDir | None = None
    persistent_volume_claim: ClaimVolume | None = None
    projected: ProjectedVolume | None = None
    downward_api: DownwardVolume | None = Field(None, alias="downwardAPI")
    host_path: HostPath | None = None
    csi: UsersOwn | None = None
    ephemeral: UsersOwn | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = self.model_fields_set - {"name"}
        if len(sources) != 1:
            raise ValueError(f"a volume has one source, not {sorted(sources)}")
        return self


class Toleration(Part):
    """A taint the pod puts up with."""

    key: str | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Seconds | None = None


class Spread(Part):
    """A topology spread constraint."""

    max_skew: Annotated[int, Field(ge=1)]
    topology_key: str
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    label_selector: Selector
    min_domains: int | None = None
    match_label_keys: list[str] = []
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    node_taints_policy: Literal["Honor", "Ignore"] | None = None


class HostAlias(Part):
    """A line of /etc/hosts."""

    ip: str
    hostnames: list[str]


class PodSpec(Part):
    """What runs, where and as whom."""

    containers: Annotated[list[Container], Field(min_length=1)]
    init_containers: list[Container] = []
    volumes: list[Volume] = []
    service_account_name: DnsLabel | None = None
    automount_service_account_token: bool | None = None
    enable_service_links: bool | None = None
    security_context: PodSecurity | None = None
    termination_grace_period_seconds: Seconds | None = None
    active_deadline_seconds: Seconds | None = None
    restart_policy: Literal["Always", "OnFailure", "Never"] | None = None
    image_pull_secrets: list[LocalRef] = []
    node_selector: dict[str, LabelValue] = {}
    affinity: UsersOwn | None = None
    tolerations: list[Toleration] = []
    topology_spread_constraints: list[Spread] = []
    priority_class_name: str | None = None
    runtime_class_name: str | None = None
    scheduler_name: str | None = None
    host_aliases: list[HostAlias] = []
    dns_policy: str | None = None
    dns_config: UsersOwn | None = None
    host_network: bool | None = None
    host_pid: bool | None = Field(None, alias="hostPID")
    host_ipc: bool | None = Field(None, alias="hostIPC")
    share_process_namespace: bool | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _unique("volumes", [volume.name for volume in self.volumes])
        _unique("containers", [container.name for container in self.all_containers()])
        return self

    def all_containers(self) -> Iterator[Container]:
        """Init containers and sidecars, then the rest."""
        yield from self.init_containers
        yield from self.containers


class PodTemplate(Part):
    """A pod template of a Deployment, StatefulSet or Job."""

    metadata: TemplateMetadata
    spec: PodSpec


class Replacement(Part):
    """How many pods more or fewer there may be during a rollout."""

    max_surge: IntOrPercent | None = None
    max_unavailable: IntOrPercent | None = None


def _unique(what: str, names: list[str]) -> None:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} named twice: {sorted(twice)}")
