"""A render as typed objects: every one parses without an unknown field, and what refers to what can be followed."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from tests.chart.kube import KINDS, Deployment, Job, Kube, Labels, Pod, PodSpec, StatefulSet
from tests.chart.kube.pods import Container

AnyKind = TypeVar("AnyKind", bound=Kube)

COMPONENT = "app.kubernetes.io/component"
POOL = "heavylift.dev/pool"


@dataclass(frozen=True)
class Run:
    """A pod as one of the release's objects makes it."""

    owner: Kube
    labels: Labels
    annotations: dict[str, str]
    spec: PodSpec

    @property
    def id(self) -> str:
        """Its owner, for messages."""
        return self.owner.id

    @property
    def component(self) -> str:
        """Its part of the product: api, worker, controller, redis, flower or test."""
        return self.labels[COMPONENT]

    @property
    def is_served(self) -> bool:
        """Whether it runs for as long as the release does, unlike the pod of `helm test`."""
        return not isinstance(self.owner, Pod | Job)

    def containers(self) -> Iterator[tuple[str, Container]]:
        """Every container with a name for messages."""
        for container in self.spec.all_containers():
            yield f"{self.id}/{container.name}", container


@dataclass(frozen=True)
class Release:
    """All objects of one render."""

    text: str
    objects: tuple[Kube, ...]

    def of(self, kind: type[AnyKind]) -> list[AnyKind]:
        """Return the objects of a kind."""
        return [one for one in self.objects if isinstance(one, kind)]

    def get(self, kind: type[AnyKind], name: str) -> AnyKind:
        """Return the one object of this kind and name."""
        found = [one for one in self.of(kind) if one.name == name]
        assert len(found) == 1, f"{kind.__name__} {name!r}: {[one.id for one in self.objects]}"
        return found[0]

    def runs(self) -> list[Run]:
        """Return the pods of all workloads."""
        return [_run(one) for one in self.objects if isinstance(one, Deployment | StatefulSet | Job | Pod)]

    def run(self, name: str) -> Run:
        """Return the pod of the one workload of this name."""
        (found,) = [run for run in self.runs() if run.owner.name == name]
        return found

    def of_component(self, component: str) -> list[Run]:
        """Return the pods of one part of the product."""
        return [run for run in self.runs() if run.component == component]


def _run(owner: Deployment | StatefulSet | Job | Pod) -> Run:
    if isinstance(owner, Pod):
        return Run(owner, owner.metadata.labels, owner.metadata.annotations, owner.spec)
    template = owner.spec.template
    return Run(owner, template.metadata.labels, template.metadata.annotations, template.spec)


@cache
def parse(text: str) -> Release:
    """Return the objects of a render. Raises `ValueError` that names the object and what is wrong with it."""
    documents = [document for document in yaml.load_all(text, Loader=StrictLoader) if document]
    return Release(text, tuple(_typed(document) for document in documents))


def _typed(document: dict[str, Any]) -> Kube:
    label = f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"
    for kind in KINDS:
        if kind.__name__ == document.get("kind"):
            try:
                return kind.model_validate(document)
            except ValidationError as error:
                raise ValueError(f"{label}: {error}") from error
    raise ValueError(f"{label}: no type for this kind in tests/chart/kube")


class StrictLoader(yaml.CSafeLoader):
    """YAML as Kubernetes takes it: no key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping. Raises `ValueError` for a key that is there twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"twice in one mapping: {sorted(twice)}{node.start_mark}")
        return super().construct_mapping(node, deep)
