"""What all objects share: strict parsing, names, labels, quantities.

Own models of exactly the fields this chart renders, rather than a client library's: those drop an unknown field
silently and turn "8000" into 8000, which are the mistakes a chart makes. A field that is missing here is added when
the chart begins to use it, from the API reference.
"""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

DnsLabel = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
# A pod's name is its owner's with up to 17 characters more, and becomes a host name of at most 63.
ObjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
RoleName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9]([-:.a-zA-Z0-9]*[a-zA-Z0-9])?$")]
PortName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=15)]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
MetaKey = Annotated[str, StringConstraints(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")]
FileKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
Quantity = int | float | Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Port = Annotated[int, Field(ge=1, le=65535)]
PortRef = Port | PortName
Percent = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}%$")]
IntOrPercent = Annotated[int, Field(ge=0)] | Percent
Labels = dict[MetaKey, LabelValue]
Annotations = dict[MetaKey, str]
# What only users write, and the chart hands on unread.
UsersOwn = dict[str, JsonValue]


class Part(BaseModel):
    """A piece of an object: no unknown field, no field of a neighbouring type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class Metadata(Part):
    """ObjectMeta, as far as somebody who writes manifests sets it."""

    name: RoleName
    namespace: DnsLabel | None = None
    labels: Labels = {}
    annotations: Annotations = {}


class TemplateMetadata(Part):
    """ObjectMeta of a pod template: it has no name."""

    labels: Labels
    annotations: Annotations = {}


class Kube(Part):
    """A whole object."""

    namespaced: ClassVar[bool] = True
    api_version: str
    kind: str
    metadata: Metadata

    @property
    def name(self) -> str:
        """The object's name, which is its kind's own in the release."""
        return self.metadata.name

    @property
    def id(self) -> str:
        """Kind and name, for messages."""
        return f"{self.kind}/{self.name}"


class Expression(Part):
    """A requirement of a label selector."""

    key: MetaKey
    operator: str
    values: list[LabelValue] = []


class Selector(Part):
    """LabelSelector."""

    match_labels: Labels = {}
    match_expressions: list[Expression] = []

    def matches(self, labels: Labels) -> bool:
        """Whether an object with these labels is selected; an empty selector takes every one."""
        by_label = all(labels.get(key) == value for key, value in self.match_labels.items())
        return by_label and all(_fulfils(expression, labels) for expression in self.match_expressions)


def _fulfils(expression: Expression, labels: Labels) -> bool:
    present = expression.key in labels
    match expression.operator:
        case "In":
            return present and labels[expression.key] in expression.values
        case "NotIn":
            return not present or labels[expression.key] not in expression.values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case other:
            raise ValueError(f"{other!r} is no operator of a label selector")


class OneOf(Part):
    """A part of which exactly one field is set, such as a volume's source or a probe's action."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "OneOf":
        if len(self.model_fields_set) != 1:
            raise ValueError(f"exactly one of {sorted(type(self).model_fields)}, not {sorted(self.model_fields_set)}")
        return self
