"""What pods read, and what they may do: Secrets, ConfigMaps, service accounts and their rights."""

from base64 import b64decode
from typing import Literal

from tests.chart.kube.base import DnsLabel, FileKey, Kube, Part, RoleName
from tests.chart.kube.pods import LocalRef


class Secret(Kube):
    """v1 Secret."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    type: str = "Opaque"
    data: dict[FileKey, str] = {}
    string_data: dict[FileKey, str] = {}
    immutable: bool | None = None

    def plain(self) -> dict[str, str]:
        """The values as a pod sees them."""
        return {key: b64decode(value).decode() for key, value in self.data.items()} | self.string_data


class ConfigMap(Kube):
    """v1 ConfigMap."""

    api_version: Literal["v1"]
    kind: Literal["ConfigMap"]
    data: dict[FileKey, str] = {}
    binary_data: dict[FileKey, str] = {}
    immutable: bool | None = None


class ServiceAccount(Kube):
    """v1 ServiceAccount."""

    api_version: Literal["v1"]
    kind: Literal["ServiceAccount"]
    automount_service_account_token: bool | None = None
    image_pull_secrets: list[LocalRef] = []


class Rule(Part):
    """Verbs on resources."""

    api_groups: list[str]
    resources: list[str]
    verbs: list[str]
    resource_names: list[str] = []


class Role(Kube):
    """rbac.authorization.k8s.io/v1 Role."""

    api_version: Literal["rbac.authorization.k8s.io/v1"]
    kind: Literal["Role"]
    rules: list[Rule]


class RoleRef(Part):
    """The role a binding gives."""

    api_group: Literal["rbac.authorization.k8s.io"]
    kind: Literal["Role", "ClusterRole"]
    name: RoleName


class Subject(Part):
    """Whom a binding gives it."""

    kind: Literal["ServiceAccount"]
    name: DnsLabel
    namespace: DnsLabel | None = None


class RoleBinding(Kube):
    """rbac.authorization.k8s.io/v1 RoleBinding."""

    api_version: Literal["rbac.authorization.k8s.io/v1"]
    kind: Literal["RoleBinding"]
    role_ref: RoleRef
    subjects: list[Subject]
