"""The types the other tests parse with: they know no field that Kubernetes does not, and pass none over."""

import re
from collections.abc import Iterator
from typing import ClassVar, Protocol, get_args

import pytest
from kubernetes import client
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tests.chart.kube import KINDS, Deployment, Kube, Part

BUILT_IN = [kind for kind in KINDS if hasattr(client, f"V1{kind.__name__}") or kind.__name__.startswith("Horizontal")]


class Official(Protocol):
    """What a model of the official client says about itself."""

    __name__: str
    attribute_map: ClassVar[dict[str, str]]
    openapi_types: ClassVar[dict[str, str]]


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api"},
    "spec": {
        "selector": {"matchLabels": {"app": "api"}},
        "template": {
            "metadata": {"labels": {"app": "api"}},
            "spec": {"containers": [{"name": "api", "image": "api:1", "ports": [{"containerPort": 8000}]}]},
        },
    },
}


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: kind.__name__)
def test_every_field_is_one_of_the_official_clients(kind: type[Kube]):
    version = "V2" if kind.__name__.startswith("Horizontal") else "V1"
    assert sorted(_invented(kind, getattr(client, version + kind.__name__))) == []


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("{'containerPort': 8000}", "{'containerPort': '8000'}"),
        ("{'containerPort': 8000}", "{'containerport': 8000}"),
        ("{'containerPort': 8000}", "{'containerPort': 8000, 'name': 'a-name-too-long-for-a-port'}"),
        ("{'containerPort': 8000}", "{'containerPort': 8000}, {'containerPort': 8000}"),
        ("'image': 'api:1'", "'image': 'api:1', 'imagePullPolicy': 'Sometimes'"),
        ("'image': 'api:1'", "'image': 'api:1', 'env': [{'name': 'A', 'value': 1}]"),
        ("'image': 'api:1'", "'image': 'api:1', 'env': [{'name': 'A'}, {'name': 'A'}]"),
        ("'image': 'api:1', ", ""),
        ("'app': 'api'", "'app': 'a b'"),
        ("'apps/v1'", "'apps/v1beta1'"),
    ],
)
def test_a_mistake_is_refused(text: str, mistake: str):
    Deployment.model_validate(DEPLOYMENT)
    broken = repr(DEPLOYMENT).replace(text, mistake, 1)
    assert broken != repr(DEPLOYMENT)
    with pytest.raises(ValidationError):
        Deployment.model_validate(eval(broken))


def _invented(ours: type[Part], theirs: Official) -> Iterator[str]:
    """Yield the fields of one of our types, and of those below it, that the official type has not."""
    fields = {theirs.attribute_map[name]: kind for name, kind in theirs.openapi_types.items()}
    for name, field in ours.model_fields.items():
        key = field.alias or name
        if key not in fields:
            yield f"{theirs.__name__}.{key}"
            continue
        official = getattr(client, _innermost(fields[key]), None)
        for part in _parts(field):
            # An int-or-string or a free map is no type of its own there.
            if official is not None:
                yield from _invented(part, official)


def _innermost(kind: str) -> str:
    """Return `V1EnvVar` of `list[V1EnvVar]`."""
    return re.sub(r"^(list|dict)\[(str, )?|\]$", "", kind)


def _parts(field: FieldInfo) -> Iterator[type[Part]]:
    pending = [field.annotation]
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, Part):
            yield kind
        pending += get_args(kind)
