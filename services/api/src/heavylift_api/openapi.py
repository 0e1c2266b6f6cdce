"""What FastAPI does not put into the OpenAPI document by itself: problems, and bodies that routes read on their own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from heavylift.constants import IDEMPOTENCY_HEADER
from heavylift_api.errors import MEDIA_TYPE, ForeignOrigin, Problem, ProblemDocument, Unauthorized

_REF = "#/components/schemas/{model}"
_SECURITY = "ApiKey"
_OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Return the problems a route may answer with, as FastAPI's `responses`."""
    by_status: dict[int | str, list[type[Problem]]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {status: _response(kinds) for status, kinds in by_status.items()}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that reads its JSON body itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _ref(model)}}}}


def upload_body() -> dict[str, Any]:
    """Return the `openapi_extra` of the upload route."""
    binary = {"type": "string", "format": "binary"}
    text = {"type": "string"}
    form = {"type": "object", "required": ["file"], "properties": {"type": text, "input": text, "file": binary}}
    content = {"application/octet-stream": {"schema": binary}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


def idempotency_key() -> dict[str, Any]:
    """Return the `openapi_extra` of a route that takes an Idempotency-Key."""
    return {
        "parameters": [
            {
                "name": IDEMPOTENCY_HEADER,
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 257},
                "description": "A request sent again with the same key, within 24 hours, makes no second job.",
            }
        ]
    }


def describe(app: FastAPI, *models: type[BaseModel]) -> None:
    """Let the app's document hold the problems, and the models that only `json_body` names."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(app, models)
        return app.openapi_schema

    app.openapi = document


def _complete(app: FastAPI, models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    _, definitions = models_json_schema(
        [(model, "validation") for model in (ProblemDocument, *models)], ref_template=_REF
    )
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {
        _SECURITY: {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key. None is needed where none are configured.",
        }
    }
    models_found = components.setdefault("schemas", {})
    models_found.update(definitions["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        models_found.pop(name, None)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            _complete_operation(path, operation)
    return schema


def _complete_operation(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]  # FastAPI's own form, which the handlers replace by a problem
    if path not in _OPEN_PATHS:
        operation["security"] = [{_SECURITY: []}]
        for kind in (Unauthorized, ForeignOrigin):
            responses.setdefault(str(kind.status), _response([kind]))
    operation["responses"] = {code: responses[code] for code in sorted(responses)}


def _response(kinds: list[type[Problem]]) -> dict[str, Any]:
    examples = {kind.slug: {"value": kind().document().model_dump(mode="json", exclude_none=True)} for kind in kinds}
    retried = kinds[0].headers.get("Retry-After")
    headers = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}} if retried else {}
    return {
        "description": f"{HTTPStatus(kinds[0].status).phrase}: {', '.join(kind.slug for kind in kinds)}.",
        "content": {MEDIA_TYPE: {"schema": _ref(ProblemDocument), "examples": examples}},
        **({"headers": headers} if headers else {}),
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
