"""KEDA's external scaler over gRPC, in a thread of its own.

Each `StreamIsActive` is a coroutine: hundreds of pools cost no thread. They end well when the server stops, so that
KEDA comes back after 2 s; after an error it would wait for up to a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from typing import NoReturn, Protocol

import grpc
import grpc.aio
import structlog

from heavylift.errors import ConfigurationError
from heavylift_controller.keda.answers import Answer, Answers, UndecidedError, UnknownPoolError
from heavylift_controller.keda.constants import METRIC, POOL
from heavylift_controller.keda.externalscaler_pb2 import (
    GetMetricSpecResponse,
    GetMetricsRequest,
    GetMetricsResponse,
    IsActiveResponse,
    MetricSpec,
    MetricValue,
    ScaledObjectRef,
)
from heavylift_controller.keda.externalscaler_pb2_grpc import (
    ExternalScalerServicer,
    add_ExternalScalerServicer_to_server,
)

LOOK_EVERY = 1.0
"""Seconds after which a stream looks without being woken: at what has become too old to count."""

STOP_SECONDS = 1.0

log = structlog.get_logger()


class Context(Protocol):
    """What gRPC gives a handler, as far as it is used here."""

    async def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with an error."""
        ...


class Scaler(ExternalScalerServicer):
    """Answers KEDA. All of it runs in one event loop."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Let every stream look at once."""
        woken, self._woken = self._woken, asyncio.Event()
        woken.set()

    def stop(self) -> None:
        """End every stream."""
        self._stopping = True
        self.wake()

    async def IsActive(self, request: ScaledObjectRef, context: Context) -> IsActiveResponse:  # noqa: N802
        """Tell whether the pool must not be at zero."""
        return IsActiveResponse(result=(await self._answer(request, context)).active)

    async def StreamIsActive(  # noqa: N802
        self, request: ScaledObjectRef, context: Context
    ) -> AsyncGenerator[IsActiveResponse]:
        """Tell it now and whenever it changes. While nothing is decided nothing is told."""
        told: bool | None = None
        while not self._stopping:
            woken = self._woken
            active = await self._activity(request, context)
            if active is not None and active is not told:
                told = active
                yield IsActiveResponse(result=active)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await woken.wait()

    async def GetMetricSpec(self, request: ScaledObjectRef, context: Context) -> GetMetricSpecResponse:  # noqa: ARG002, N802
        """Return the metric, whatever is known: an HPA that KEDA makes without one would look at CPU instead."""
        return GetMetricSpecResponse(metricSpecs=[MetricSpec(metricName=METRIC, targetSize=1, targetSizeFloat=1.0)])

    async def GetMetrics(self, request: GetMetricsRequest, context: Context) -> GetMetricsResponse:  # noqa: N802
        """Return the number of workers to ask for."""
        answer = await self._answer(request.scaledObjectRef, context)
        value = MetricValue(
            metricName=request.metricName, metricValue=answer.number, metricValueFloat=float(answer.number)
        )
        return GetMetricsResponse(metricValues=[value])

    async def _activity(self, request: ScaledObjectRef, context: Context) -> bool | None:
        try:
            return self._answers.of(await _pool(request, context)).active
        except UndecidedError:
            return None
        except UnknownPoolError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))

    async def _answer(self, request: ScaledObjectRef, context: Context) -> Answer:
        try:
            return self._answers.of(await _pool(request, context))
        except UnknownPoolError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except UndecidedError as error:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))


async def _pool(request: ScaledObjectRef, context: Context) -> str:
    pool = request.scalerMetadata.get(POOL)
    if not pool:
        sentence = f"The trigger of ScaledObject {request.name!r} must name a pool in its metadata, as `{POOL}: video`."
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, sentence)
    return pool


@contextlib.contextmanager
def serve(answers: Answers, *, host: str, port: int) -> Generator[int]:
    """Serve from a thread while the block runs; yields the port, which is a free one if 0 was asked for.

    Raises
    ------
    ConfigurationError
        Nothing can listen there.

    """
    server = _Server(answers, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    thread = threading.Thread(target=lambda: asyncio.run(server.run()), name="keda", daemon=True)
    thread.start()
    server.started.wait()
    if server.failure:
        raise ConfigurationError(f"Cannot listen on {host}, port {port} (HEAVYLIFT_KEDA_PORT): {server.failure}")
    log.info("keda_listening", host=host, port=server.port)
    try:
        yield server.port
    finally:
        server.call(server.stop.set)
        thread.join(2 * STOP_SECONDS)


class _Server:
    """The server, in the event loop of its thread."""

    def __init__(self, answers: Answers, address: str) -> None:
        self._answers = answers
        self._address = address
        self._loop: asyncio.AbstractEventLoop | None = None
        self.stop = asyncio.Event()
        self.started = threading.Event()
        self.failure = ""
        self.port = 0

    async def run(self) -> None:
        """Serve until `stop`."""
        self._loop = asyncio.get_running_loop()
        scaler, server = Scaler(self._answers), grpc.aio.server()
        add_ExternalScalerServicer_to_server(scaler, server)
        try:
            self.port = server.add_insecure_port(self._address)
            await server.start()
        except RuntimeError as error:
            self.failure = str(error)
            return
        finally:
            self.started.set()
        self._answers.watch(lambda: self.call(scaler.wake))
        await self.stop.wait()
        scaler.stop()
        await server.stop(STOP_SECONDS)

    def call(self, function: Callable[[], None]) -> None:
        """Call this in the loop, from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(function)
