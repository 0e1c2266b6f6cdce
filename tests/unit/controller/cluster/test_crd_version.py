from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes.client.configuration import Configuration

from heavylift_controller.cluster import crd_version
from heavylift_controller.cluster.api import Api, ApiError
from heavylift_controller.cluster.crd_version import CRD_VERSION, Definition, read_definition
from heavylift_controller.cluster.overrides import ANNOTATIONS
from tests.scripted_api import ScriptedApi, answer
from tests.unit.controller.cluster.workerpool import CRD, SCHEMA, VERSION


def test_the_code_and_the_definition_are_of_one_version():
    default = SCHEMA["properties"]["status"]["properties"]["crdVersion"]["default"]
    assert CRD["metadata"]["annotations"][crd_version.ANNOTATION] == str(CRD_VERSION) == str(default)


def test_the_code_and_the_definition_use_the_same_names():
    names = CRD["spec"]["names"]
    assert (CRD["spec"]["group"], VERSION["name"]) == (crd_version.GROUP, crd_version.VERSION)
    assert (names["kind"], names["plural"]) == (crd_version.KIND, crd_version.PLURAL)


def _fields(schema: dict, path: str) -> Iterator[tuple[str, dict]]:
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from _fields(each, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if part in schema:
            yield from _fields(schema[part], f"{path}[]")


@pytest.mark.parametrize(("path", "schema"), [*_fields(SCHEMA, "workerpools")])
def test_every_field_is_explained(path: str, schema: dict):
    assert str(schema.get("description")).endswith((".", "`.")), path


def test_every_column_shows_a_field_of_the_status():
    known = SCHEMA["properties"]["status"]["properties"]
    shown = [column["jsonPath"].removeprefix(".status.") for column in VERSION["additionalPrinterColumns"]]
    assert set(shown) - {".metadata.creationTimestamp"} <= set(known)


def test_the_annotations_are_those_that_the_definition_tells_of():
    spec = SCHEMA["properties"]["spec"]["properties"]
    for field, annotation in ANNOTATIONS.items():
        assert annotation in spec[field]["description"]


@pytest.mark.parametrize("version", [None, CRD_VERSION])
def test_a_definition_of_the_same_or_of_an_unknown_version_is_no_trouble(version: int | None):
    assert Definition(present=True, version=version).trouble == ""


@pytest.mark.parametrize("definition", [Definition(present=False), Definition(present=True, version=CRD_VERSION - 1)])
def test_a_missing_or_older_definition_is_told_with_the_command(definition: Definition):
    assert "kubectl apply --server-side" in definition.trouble


def test_a_newer_definition_asks_for_a_newer_controller():
    trouble = Definition(present=True, version=CRD_VERSION + 1).trouble
    assert "kubectl" not in trouble
    assert "Upgrade this installation" in trouble


def _read(status: int, body: object) -> Definition:
    with ScriptedApi() as server:
        server.script(answer(body, status))
        api = Api(Configuration(host=server.url), "ns")
        try:
            return read_definition(api)
        finally:
            api.close()


def _published(version: dict[str, object]) -> dict[str, object]:
    status = {"properties": {"crdVersion": version} if version else {}}
    schemas = {"dev.heavylift.v1alpha1.WorkerPool": {"properties": {"status": status}}}
    return {"components": {"schemas": schemas}}


def test_the_version_is_read_from_the_published_schema():
    assert _read(200, _published({"type": "integer", "default": 7})) == Definition(present=True, version=7)


def test_a_definition_that_names_no_version_is_an_old_one():
    assert _read(200, _published({})) == Definition(present=True, version=0)


def test_a_cluster_without_the_definition_has_none():
    assert _read(404, {}) == Definition(present=False)


def test_a_group_without_the_kind_has_none():
    assert not _read(200, {"components": {"schemas": {}}}).present


def test_a_cluster_that_hides_its_schemas_is_believed_to_be_well():
    assert _read(403, {}).trouble == ""


def test_an_error_is_no_answer():
    with pytest.raises(ApiError):
        _read(400, {})
