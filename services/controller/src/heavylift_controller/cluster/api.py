"""The API server: requests with a time limit, repeated where that is safe, answered in plain dicts.

Of the official client only what connects is used (its configuration, certificates, tokens and their renewal). Its typed
models would cost 26 MiB and half a second, and would refuse an object that a newer API server writes differently.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import cast

import orjson
import urllib3
from kubernetes.client.api_client import ApiClient, RequestSerialized
from kubernetes.client.configuration import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTResponse
from kubernetes.config import ConfigException, list_kube_config_contexts, load_incluster_config, load_kube_config
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME
from kubernetes.utils.keepalive import tcp_keepalive_socket_options

from heavylift.errors import ConfigurationError
from heavylift_controller.cluster.fields import part, text
from heavylift_controller.scaler.platform import PlatformError

JsonObject = dict[str, object]

FIELD_MANAGER = "heavylift-controller"
"""By this name Kubernetes notes what was written by us."""

CONNECT_SECONDS = 2.0
READ_SECONDS = 5.0
PATIENCE = 5.0
"""Seconds after which a request is not begun again: the next tick asks anew, for what is needed by then."""
FIRST_PAUSE = 0.2
"""Seconds before a request is sent again, up to; doubled each time."""
REFUSED = 400
TOO_MANY = 429
SERVER_ERROR = 500
PAGE = 500
"""Objects in one answer of a list, as kubectl asks for."""

TOKEN = ["BearerToken"]
"""The client's name for its way to identify itself by a token."""
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(PlatformError):
    """The API server refused a request, or did not answer it."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status; 0: no answer came, so whether the request was carried out is not known."""


class Api:
    """One namespace of a cluster. May be used by any number of threads."""

    def __init__(self, configuration: Configuration, namespace: str) -> None:
        self.namespace = namespace
        configuration.retries = False  # urllib3's word for none; repeated here instead
        configuration.connection_pool_maxsize = 8
        # A connection whose other end is gone without a word is found out within seconds.
        configuration.socket_options = tcp_keepalive_socket_options(idle=1, interval=1, count=2)
        self._client = ApiClient(configuration)
        self._client.user_agent = f"{FIELD_MANAGER}/{version('heavylift-controller')}"
        self._closed = threading.Event()

    @classmethod
    def connect(cls, namespace: str = "") -> Api:
        """Connect from inside a cluster if this is one, else as kubectl would. Raises ConfigurationError."""
        if SERVICE_HOST_ENV_NAME in os.environ:
            return cls.in_cluster(namespace)
        return cls.from_kubeconfig(None, namespace)

    @classmethod
    def in_cluster(cls, namespace: str = "") -> Api:
        """Connect as the pod's service account, in its own namespace if none is given. Raises ConfigurationError."""
        configuration = Configuration()
        try:
            load_incluster_config(configuration)
            own = Path(SERVICE_TOKEN_FILENAME).with_name("namespace").read_text().strip()
        except (ConfigException, OSError) as error:
            raise ConfigurationError(
                f"Scaling in a cluster needs a pod with a service account's token: {error}"
            ) from error
        return cls(configuration, namespace or own)

    @classmethod
    def from_kubeconfig(cls, path: Path | None, namespace: str = "") -> Api:
        """Connect by the file, or by the one that kubectl would take. Raises ConfigurationError."""
        configuration = Configuration()
        file = str(path) if path else None
        try:
            load_kube_config(file, client_configuration=configuration)
            _, context = list_kube_config_contexts(file)
        except (ConfigException, OSError) as error:
            raise ConfigurationError(f"This is no pod with a service account's token, and {error}") from error
        return cls(configuration, namespace or text(context, "context", "namespace") or "default")

    def path(self, group: str, plural: str, name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of all of its kind, in the namespace; `group` is as in `apps/v1` or `v1`."""
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return "/".join(filter(None, (f"{root}/namespaces/{self.namespace}", plural, name, subresource)))

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
        once: bool = False,
        read_seconds: float = READ_SECONDS,
    ) -> JsonObject:
        """Send a request and return the answer. Raises ApiError.

        It is sent again where the server says that it did nothing (429), or could not be connected to. Where the
        outcome is not known (5xx, no answer) too, unless it is to be done `once`.
        """
        asked = dict(query or {}) if method == "GET" else {"fieldManager": FIELD_MANAGER, **(query or {})}
        prepared = self._prepare(method, path, body, content_type=content_type, query=asked)
        give_up = time.monotonic() + PATIENCE
        pause = FIRST_PAUSE
        while True:
            error, wait = None, 0.0
            try:
                answer = self._send(prepared, read_seconds)
                answer.read()
            except (urllib3.exceptions.HTTPError, ApiException) as failure:
                error, again = failure, not once or _never_sent(failure)
            else:
                again = answer.status == TOO_MANY or (answer.status >= SERVER_ERROR and not once)
                wait = _retry_after(answer)
            # With jitter: what was refused together does not come back together.
            wait = max(wait, pause * random.uniform(0.5, 1.0))  # noqa: S311
            if not again or time.monotonic() + wait > give_up or self._closed.wait(wait):
                if error:
                    raise ApiError(f"{method} {path}: {error}") from error
                return _decoded(method, path, answer)
            pause *= 2

    def attempt(self, method: str, path: str, body: object, *, content_type: str = JSON, seconds: float) -> JsonObject:
        """Send a change once and never again, and return the answer. Raises ApiError.

        After so many seconds we wait no more; the server, which counts from when the request came, gives it up too.
        """
        query = {"fieldManager": FIELD_MANAGER, "timeout": f"{seconds * 1000:.0f}ms"}
        prepared = self._prepare(method, path, body, content_type=content_type, query=query)
        try:
            answer = self._client.call_api(*prepared, _request_timeout=seconds)
            answer.read()
        except (urllib3.exceptions.HTTPError, ApiException) as error:
            raise ApiError(f"{method} {path}: {error}") from error
        return _decoded(method, path, answer)

    def list_all(self, path: str, *, selector: str = "") -> tuple[list[JsonObject], str]:
        """Return all objects as they are at this moment, and the version to watch from. Raises ApiError."""
        items: list[JsonObject] = []
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            answer = self.request("GET", path, query=query)
            found = answer.get("items")
            items += cast("list[JsonObject]", found if isinstance(found, list) else [])
            query["continue"] = text(answer, "metadata", "continue")
            if not query["continue"]:
                return items, text(answer, "metadata", "resourceVersion")

    @contextmanager
    def stream(self, path: str, query: Mapping[str, str], *, read_seconds: float) -> Generator[urllib3.HTTPResponse]:
        """Send a GET and yield the answer to be read line by line. Raises ApiError."""
        try:
            answer = self._send(self._prepare("GET", path, query=query), read_seconds)
        except (urllib3.exceptions.HTTPError, ApiException) as error:
            raise ApiError(f"GET {path}: {error}") from error
        response = cast("urllib3.HTTPResponse", answer.response)
        try:
            if answer.status >= REFUSED:
                _decoded("GET", path, answer)
            yield response
        except urllib3.exceptions.HTTPError as error:
            raise ApiError(f"GET {path}: {error}") from error
        finally:
            response.close()

    def close(self) -> None:
        """Close idle connections; a request that waits to be sent again gives up."""
        self._closed.set()
        self._client.close()

    def _prepare(
        self, method: str, path: str, body: object = None, *, content_type: str = JSON, query: Mapping[str, str]
    ) -> RequestSerialized:
        headers = {"Accept": JSON} | ({"Content-Type": content_type} if body is not None else {})
        return self._client.param_serialize(
            *(method, path), query_params=list(query.items()), header_params=headers, body=body, auth_settings=TOKEN
        )

    def _send(self, prepared: RequestSerialized, read_seconds: float) -> RESTResponse:
        return self._client.call_api(*prepared, _request_timeout=(CONNECT_SECONDS, read_seconds))


def _decoded(method: str, path: str, answer: RESTResponse) -> JsonObject:
    """Return the answer's object. Raises ApiError for a refusal, in the server's words."""
    data = answer.read()
    try:
        decoded = orjson.loads(data) if data else {}
    except ValueError:
        decoded = {"message": repr(data[:200])}
    if answer.status >= REFUSED:
        why = text(decoded, "message") or answer.reason
        raise ApiError(f"{method} {path}: {answer.status}: {why}", status=answer.status)
    return dict(part(decoded))


def _retry_after(answer: RESTResponse) -> float:
    """Return the seconds that the server asks to wait."""
    try:
        return float(answer.headers.get("Retry-After", 0))
    except ValueError:
        return 0.0


def _never_sent(error: Exception) -> bool:
    """Tell whether there was not even a connection to send the request over."""
    return isinstance(error, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)
