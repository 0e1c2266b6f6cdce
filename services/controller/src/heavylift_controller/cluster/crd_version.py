"""Whether the cluster has the WorkerPool's definition, and whether it is the one this code was written for.

Helm installs what lies in a chart's `crds/` once and never again, so an upgraded controller may meet an older
definition. The API server then drops the fields it does not know without a word; so the word comes from here.
The version stands in the definition as the default of `status.crdVersion`: every account may read the published schema,
while reading the definition itself would need rights for the whole cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from heavylift_controller.cluster.api import Api, ApiError
from heavylift_controller.cluster.fields import number, part

GROUP = "heavylift.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "WorkerPool"
PLURAL = "workerpools"
ANNOTATION = "heavylift.dev/crd-version"
"""On the definition, for people; the same as the default of `status.crdVersion`."""
CRD_VERSION = 1
"""The definition this code was written for. Raised with every change of it."""
SCHEMA_PATH = f"/openapi/v3/apis/{API_VERSION}"
UPGRADE = "helm show crds CHART | kubectl apply --server-side --force-conflicts -f -"


@dataclass(frozen=True, slots=True)
class Definition:
    """What the cluster has. `version` is None where it has none or may not be asked."""

    present: bool
    version: int | None = None

    @property
    def trouble(self) -> str:
        """What is to be told, with the remedy; empty where all is well."""
        if not self.present:
            return (
                "The cluster has no definition of WorkerPool: pools are scaled by the chart's values alone, and cannot "
                f"be seen or steered by kubectl. To have it: {UPGRADE}"
            )
        if self.version is None or self.version == CRD_VERSION:
            return ""
        if self.version < CRD_VERSION:
            return (
                f"The cluster's definition of WorkerPool is of version {self.version}, this controller writes version "
                f"{CRD_VERSION}: newer fields are dropped. To upgrade it: {UPGRADE}"
            )
        return (
            f"The cluster's definition of WorkerPool is of version {self.version}, this controller knows version "
            f"{CRD_VERSION}: newer fields do nothing here. Upgrade this installation of Heavylift."
        )


def read_definition(api: Api) -> Definition:
    """Return what the cluster has. Raises ApiError where it cannot be told at all."""
    try:
        published = api.request("GET", SCHEMA_PATH)
    except ApiError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return Definition(present=False)
        if error.status == HTTPStatus.FORBIDDEN:  # a cluster that hides its schemas
            return Definition(present=True)
        raise
    schema = part(published, "components", "schemas", f"{'.'.join(reversed(GROUP.split('.')))}.{VERSION}.{KIND}")
    status = part(schema, "properties", "status", "properties", "crdVersion")
    # A definition that names no version is from before there were versions.
    return Definition(present=bool(schema), version=number(status, "default"))
