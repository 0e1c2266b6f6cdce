"""Writes the chart's values.schema.json: which values there are, and what each may be. `make chart` runs this.

Keys, texts and most types come from values.yaml, so that the schema knows what values.yaml knows and refuses the rest.
`RULES` says what a default alone cannot: choices, patterns, what may be null. The draft is the seventh, the newest one
that every Helm 3 reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from charts.readme import CHART, Value, read
from pydantic.alias_generators import to_camel

from heavylift.settings import Settings
from heavylift_api.settings import ApiSettings
from heavylift_controller.settings import ControllerSettings

SCHEMA = CHART / "values.schema.json"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
POSITIVE: Schema = {"type": "integer", "minimum": 1}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
FREE: Schema = {"type": "object"}
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
OBJECTS: Schema = {"type": "array", "items": FREE}
LABELS: Schema = {"type": "object", "additionalProperties": TEXT}
NOT_EMPTY: Schema = {"type": "string", "minLength": 1}
DURATION: Schema = {"type": ["string", "integer"], "pattern": "^[0-9]+[smhd]?$", "minimum": 0}
QUANTITY: Schema = {"type": ["string", "number"], "pattern": "^[0-9.]+(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$"}
QUANTITIES: Schema = {"type": "object", "additionalProperties": {"type": ["string", "number", "null"]}}
ENVIRONMENT: Schema = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {
                "type": "object",
                "properties": {"valueFrom": FREE},
                "required": ["valueFrom"],
                "additionalProperties": False,
            },
        ]
    },
}
PROBE: Schema = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "pattern": "^/"},
        "initialDelaySeconds": COUNT,
        "periodSeconds": POSITIVE,
        "timeoutSeconds": POSITIVE,
        "failureThreshold": POSITIVE,
        "successThreshold": POSITIVE,
        "terminationGracePeriodSeconds": POSITIVE,
    },
    "additionalProperties": False,
}
QUEUE_NAME: Schema = {"type": "string", "pattern": "^[a-z][a-z0-9_.]{0,62}$"}
SECONDS: Schema = {"type": "number", "exclusiveMinimum": 0}
QUEUE: Schema = {
    "type": ["object", "null"],
    "properties": {
        "targetWaitSeconds": SECONDS,
        "priority": {"type": "integer", "minimum": 0, "maximum": 1000},
        "expectedServiceSeconds": SECONDS,
    },
    "additionalProperties": False,
}
WINDOW: Schema = {
    "type": "object",
    "properties": {
        "cron": {"type": "string", "pattern": "^\\S+( +\\S+){4}$"},
        "duration": DURATION,
        "min": POSITIVE,
        "timezone": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"},
    },
    "required": ["cron", "duration", "min"],
    "additionalProperties": False,
}
CHART_LABELS = ("name", "instance", "component", "part-of")


def choice(*values: str | None) -> Schema:
    """Return the schema of one of these."""
    return {"enum": list(values)}


def nullable(schema: Schema) -> Schema:
    """Return the schema with null added."""
    if "enum" in schema:
        return schema if None in schema["enum"] else schema | {"enum": [*schema["enum"], None]}
    types = schema.get("type")
    if types is None:
        return schema
    types = [types] if isinstance(types, str) else types
    return schema | {"type": [*types, *(["null"] if "null" not in types else [])]}


def settings(*names: str) -> Schema:
    """Return the schema of settings, named as in values, given as in Python."""
    return {"type": "object", "properties": {to_camel(name): SCALAR for name in names}, "additionalProperties": False}


def own(cls: type[Settings]) -> list[str]:
    """Return the settings that a service has for itself, without those that the chart gives it."""
    return [name for name in cls.__annotations__ if name in cls.model_fields and name not in SET_BY_THE_CHART]


ACCESS_MODE = choice("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod")

SET_BY_THE_CHART = {"host", "port", "api_keys", "api_keys_file", "shutdown_grace", "queues"} | {
    "scaling",
    "pools_file",
    "namespace",
    "scaling_lease",
    "keda_port",
}

# The last rule whose pattern is a value's whole name holds. `*` stands for any part of a name, dots included.
RULES: tuple[tuple[str, Schema], ...] = (
    ("*.env", ENVIRONMENT),
    ("*.annotations|*.podAnnotations|*.podLabels|*.labels|commonAnnotations|*.nodeSelector", LABELS),
    (
        "commonLabels",
        LABELS | {"propertyNames": {"not": {"enum": [f"app.kubernetes.io/{name}" for name in CHART_LABELS]}}},
    ),
    ("*odSecurityContext|*securityContext|*.affinity|*.behavior|*.strategy|*.timeouts|*.fallback", FREE),
    ("*.hosts|*.hostnames|*.nodes|*.jobs|*.command|*.args", TEXTS),
    ("*.queues", {"type": "array", "items": QUEUE_NAME}),
    ("*.autoscaling.queues", {"type": "object", "propertyNames": QUEUE_NAME, "additionalProperties": QUEUE}),
    ("*.autoscaling.windows", {"type": "array", "items": WINDOW}),
    ("*.targetWaitSeconds", SECONDS),
    ("scaling.manualHold", DURATION),
    ("*.accessModes", {"type": "array", "minItems": 1, "items": ACCESS_MODE}),
    ("networkPolicy.*Ports", {"type": "array", "minItems": 1, "items": PORT}),
    ("extraObjects", {"type": "array", "items": {"type": ["object", "string"]}}),
    ("*.digest", {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}),
    ("*.repository", NOT_EMPTY),
    ("*.pullPolicy", choice("", "Always", "IfNotPresent", "Never")),
    ("image.pullPolicy", choice("Always", "IfNotPresent", "Never")),
    ("*Grace|*.grace", DURATION),
    ("*.terminationGracePeriodSeconds", nullable(POSITIVE)),
    ("nodeLossTolerationSeconds|*.cooldownPeriod", nullable(COUNT)),
    ("installation", nullable({"type": "string", "pattern": "^[A-Za-z0-9_.:/@-]*$", "maxLength": 200})),
    ("nameOverride|fullnameOverride", {"type": "string", "pattern": "^([a-z]([-a-z0-9.]*[a-z0-9])?)?$"}),
    ("api.apiKeys.name", {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}),
    ("flower.auth.username", {"type": "string", "pattern": "^[^:#\\s][^:\n]*$"}),
    ("keyPrefix", {"type": "string", "pattern": "^[A-Za-z0-9_.:-]*$"}),
    ("log.level", choice("debug", "info", "warning", "error")),
    ("log.format", choice("json", "console")),
    ("*.replicas", POSITIVE),
    ("api.replicas", nullable(COUNT)),
    ("*.concurrency|*.max|*.pollingInterval", POSITIVE),
    ("*.autoscaling.min|*.autoscaling.minIdle|*.activation", COUNT),
    ("api.autoscaling.min", POSITIVE),
    ("*.cpu|*.memory|*.jobsPerPod", nullable(POSITIVE)),
    ("*.strategy", {
        "type": "object",
        "properties": {"type": choice("RollingUpdate", "Recreate"), "rollingUpdate": nullable({"type": "object"})},
        "additionalProperties": False,
    }),
    ("*.resources", {
        "type": "object",
        "properties": {"requests": QUANTITIES, "limits": QUANTITIES, "claims": OBJECTS},
        "additionalProperties": False,
    }),
    ("*.pdb.m*", nullable({"type": ["integer", "string"], "pattern": "^[0-9]+%$", "minimum": 0})),
    ("*.size|*.sizeLimit", QUANTITY),
    ("*.shmSize", {"type": ["string", "number"], "pattern": "^([0-9.]+(k|M|G|Ki|Mi|Gi))?$"}),
    ("*.tmp.type", choice("emptyDir", "ephemeral")),
    ("*.tmp.medium", choice("", "Memory")),
    ("*.probes.*", PROBE),
    ("redis.probes.*", PROBE | {"properties": {k: v for k, v in PROBE["properties"].items() if k != "path"}}),
    ("*.service.type", choice("ClusterIP", "NodePort", "LoadBalancer")),
    ("*.port", PORT),
    ("*.path", {"type": "string", "pattern": "^/"}),
    ("*.egress", choice("none", "internet", "custom")),
    ("redis.appendfsync", choice("always", "everysec")),
    ("redis.maxmemoryPercent", {"type": "integer", "minimum": 10, "maximum": 90}),
    ("redis.maxmemory", {"type": ["string", "integer"], "pattern": "^([0-9]+([kKmMgG][bB]?)?)?$"}),
    ("*.retentionPolicy.*", choice("Retain", "Delete")),
    ("scaling.engine", choice("builtin", "keda", "hpa", "none")),
    ("*.keda.mode", choice("brain", "simple")),
    ("artifacts.type", choice("pvc", "s3")),
    ("flower.urlPrefix", {"type": "string", "pattern": "^(/.*)?$"}),
    ("settings", settings("redis_timeout", "redis_connect_timeout", "heartbeat_interval")),
    ("api.settings", settings(*own(ApiSettings))),
    ("controller.settings", settings(*own(ControllerSettings))),
    ("monitoring.*.interval|monitoring.*.scrapeTimeout", {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"}),
)  # fmt: skip

_OPEN = re.compile(r"labels|\w*[lL]abels|\w*[sS]ecurityContext|behavior|fallback|resources")
"""Maps with keys in values.yaml that may have others."""


def schema(values: Iterable[Value]) -> Schema:
    """Return the schema of a whole values.yaml."""
    document = _map(values)
    document["properties"]["global"] = FREE | {"description": "Values of a parent chart; nothing here reads them."}
    document["properties"]["workers"]["properties"]["pools"] = _pools(values)
    title = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Values of the chart heavylift"}
    return title | document


def _map(values: Iterable[Value]) -> Schema:
    properties = {value.path[-1]: _described(value) for value in values}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _described(value: Value) -> Schema:
    text = {"description": value.text} if value.text else {}
    return text | _type(value)


def _type(value: Value) -> Schema:
    rules = [rule for pattern, rule in RULES if _fits(pattern, value.name)]
    if rules:
        return rules[-1]
    if value.children and not _OPEN.fullmatch(value.path[-1]):
        return _map(value.children)
    return _guess(value.default)


def _fits(patterns: str, name: str) -> bool:
    regexes = (re.escape(pattern).replace(r"\*", ".*") for pattern in patterns.split("|"))
    return any(re.fullmatch(regex, name) for regex in regexes)


def _guess(default: object) -> Schema:
    for kind, guess in ((bool, {"type": "boolean"}), (int, COUNT), (str, TEXT), (list, OBJECTS), (dict, FREE)):
        if isinstance(default, kind):
            return guess
    raise ValueError(f"RULES in charts/schema.py says nothing of {default!r}")


def _pools(values: Iterable[Value]) -> Schema:
    """Return the schema of the pools: the defaults, of which each may be given anew or taken away.

    Their names are checked in templates/_checks.tpl: of a name that fits no pattern Helm says that it is at ''.
    """
    (workers,) = [value for value in values if value.name == "workers"]
    defaults, pools = workers.children
    one = _without_texts(_map(defaults.children))
    return {
        "description": pools.text,
        "type": "object",
        "additionalProperties": {"type": ["object", "null"]} | {k: v for k, v in one.items() if k != "type"},
    }


def _without_texts(schema: Schema) -> Schema:
    properties = {name: nullable(_without_texts(each)) for name, each in schema.get("properties", {}).items()}
    rest = {key: value for key, value in schema.items() if key not in ("description", "properties")}
    return rest | ({"properties": properties} if properties else {})


def current() -> str:
    """Return the schema as it should be now."""
    return json.dumps(schema(read((CHART / "values.yaml").read_text())), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(current())
