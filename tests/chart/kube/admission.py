"""What the API server asks before it admits a change: policies in CEL, for the whole cluster."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tests.chart.kube.base import Kube, Part, RoleName, Selector


class Condition(Part):
    """When a policy looks at a request at all."""

    name: str
    expression: str


class Validation(Part):
    """What has to be true, and what is said if it is not."""

    expression: str
    message: str | None = None
    message_expression: str | None = None
    reason: Literal["Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"] | None = None


class ResourceRule(Part):
    """Requests by what they do to what."""

    api_groups: list[str]
    api_versions: list[str]
    operations: list[Literal["CREATE", "UPDATE", "DELETE", "CONNECT", "*"]]
    resources: list[str]
    scope: Literal["Cluster", "Namespaced", "*"] | None = None


class MatchResources(Part):
    """Requests by what they do, and by the labels of the object and its namespace."""

    namespace_selector: Selector | None = None
    object_selector: Selector | None = None
    resource_rules: list[ResourceRule] = []
    match_policy: Literal["Exact", "Equivalent"] | None = None


class ValidatingAdmissionPolicySpec(Part):
    """Which requests, and what has to hold for them."""

    failure_policy: Literal["Fail", "Ignore"] | None = None
    match_constraints: MatchResources
    match_conditions: list[Condition] = []
    validations: Annotated[list[Validation], Field(min_length=1)]


class ValidatingAdmissionPolicy(Kube):
    """admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy."""

    namespaced: ClassVar[bool] = False
    api_version: Literal["admissionregistration.k8s.io/v1"]
    kind: Literal["ValidatingAdmissionPolicy"]
    spec: ValidatingAdmissionPolicySpec


class ValidatingAdmissionPolicyBindingSpec(Part):
    """That a policy is in force, and where."""

    policy_name: RoleName
    validation_actions: Annotated[list[Literal["Deny", "Warn", "Audit"]], Field(min_length=1)]
    match_resources: MatchResources | None = None


class ValidatingAdmissionPolicyBinding(Kube):
    """admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding."""

    namespaced: ClassVar[bool] = False
    api_version: Literal["admissionregistration.k8s.io/v1"]
    kind: Literal["ValidatingAdmissionPolicyBinding"]
    spec: ValidatingAdmissionPolicyBindingSpec
