"""The job SDK: a decorator over a typed function, and the context it is given."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Protocol, TypeGuard, TypeVar, get_type_hints

from pydantic import BaseModel, JsonValue

from heavylift import declaration
from heavylift.errors import ConfigurationError
from heavylift.model import Artifact, JobTypeInfo, RetryPolicy

In = TypeVar("In", bound=BaseModel)
Out = TypeVar("Out", bound=BaseModel | None)


class JobContext(Protocol):
    """What a running job sees of the platform. All methods are safe to call often and from any thread."""

    id: str
    """The job's id."""
    attempt: int
    """Which attempt this is, from 1."""
    idempotency_key: str
    """The same for all attempts of the job: give it to services that can ignore a repeated request."""

    @property
    def workdir(self) -> Path:
        """An empty folder of this attempt's own, removed when it ends."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked the job to stop, or the worker must go: save what matters and return soon.

        What is returned after this was true counts for nothing: the job is cancelled, or goes back to the queue.
        """
        ...

    def stop_if_cancelled(self) -> None:
        """Raise JobCancelled if the job was cancelled."""
        ...

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Say how far the job is, in any unit. Cheap: at most four writes a second. Raises JobCancelled."""
        ...

    def log(self, message: str, **fields: JsonValue) -> None:
        """Add a line to the job's events."""
        ...

    def input_file(self, key: str) -> Path:
        """Return a readable local file with an input artifact's content, fetched if storage is not a local folder.

        Raises ArtifactNotFound.
        """
        ...

    def artifact(self, name: str, content: Path | bytes | IO[bytes], *, content_type: str | None = None) -> Artifact:
        """Stage a file under a name of the job's own; it becomes visible when the job succeeds.

        The content is streamed; a Path may be deleted afterwards. Raises InvalidArtifactName.
        """
        ...


JobFunction = Callable[[JobContext, In], Out | Awaitable[Out]]


class JobType:
    """A job type: its function, its models and its policy. Made by `@job`; calling it calls the function."""

    def __init__(
        self,
        function: JobFunction[Any, Any],
        *,
        name: str,
        queue: str,
        retry: RetryPolicy,
        retry_on: tuple[type[BaseException], ...],
        soft_time_limit: timedelta | None,
        time_limit: timedelta | None,
        retention: timedelta,
        libraries: Sequence[str],
        file_field: str | None,
    ) -> None:
        self.function = function
        self.name = name
        self.queue = queue
        self.retry = retry
        self.retry_on = retry_on
        self.soft_time_limit = soft_time_limit
        self.time_limit = time_limit
        self.retention = retention
        self.libraries = tuple(libraries)
        self.file_field = file_field
        self.is_async = inspect.iscoroutinefunction(function)
        self.input_model, self.output_model = _models(function, name)
        if file_field is not None:
            declaration.check_file_field(file_field, self.input_model.model_json_schema(), name)

    def __call__(self, ctx: JobContext, input: BaseModel) -> BaseModel | Awaitable[BaseModel | None] | None:  # noqa: A002
        """Run the function."""
        return self.function(ctx, input)

    def info(self) -> JobTypeInfo:
        """Return what workers publish about this type."""
        output = self.output_model.model_json_schema() if self.output_model else {"type": "null"}
        return JobTypeInfo(
            type=self.name,
            queue=self.queue,
            description=inspect.getdoc(self.function) or "",
            input_schema=self.input_model.model_json_schema(),
            output_schema=output,
            retry=self.retry,
            soft_time_limit=self.soft_time_limit,
            time_limit=self.time_limit,
            retention=self.retention,
            file_field=self.file_field,
        )


def job(
    name: str,
    *,
    queue: str = "default",
    retry: RetryPolicy | None = None,
    retry_on: tuple[type[BaseException], ...] = (Exception,),
    soft_time_limit: timedelta | None = None,
    time_limit: timedelta | None = timedelta(hours=24),
    retention: timedelta = timedelta(days=7),
    libraries: Sequence[str] = (),
    file_field: str | None = None,
) -> Callable[[JobFunction[In, Out]], JobType]:
    """Declare a job type over `function(ctx, input) -> output`, sync or `async def`, with Pydantic models.

    Parameters
    ----------
    name
        What clients ask for, such as `video.transcode`: letters, digits and `_ . : / -`, at most 200 of them.
    queue
        Where its jobs wait: lower case letters, digits, `_` and `.`.
    retry, retry_on
        How often an attempt that raised one of `retry_on` is tried again. JobFailed never is.
    soft_time_limit, time_limit
        After the first the job sees SoftTimeLimitExceeded raised in it, after the second its process is killed.
    retention
        How long the finished job is kept.
    libraries
        Heavy modules the function imports when it runs; a worker started with preloading imports them before it forks.
    file_field
        The input field that takes an uploaded file's key, so that `POST /upload` and the CLI can feed this type.

    Raises
    ------
    ConfigurationError
        A parameter is not what it takes, or the function is of another shape.

    Examples
    --------
    >>> class Greeting(BaseModel):
    ...     name: str
    >>> @job("hello")
    ... def hello(ctx: JobContext, input: Greeting) -> None:
    ...     ctx.log(f"hello {input.name}")

    """

    declaration.check(
        name,
        queue=queue,
        retry=retry,
        retry_on=retry_on,
        soft_time_limit=soft_time_limit,
        time_limit=time_limit,
        retention=retention,
        libraries=libraries,
        file_field=file_field,
    )

    def declare(function: JobFunction[In, Out]) -> JobType:
        return JobType(
            function,
            name=name,
            queue=queue,
            retry=retry or RetryPolicy(),
            retry_on=retry_on,
            soft_time_limit=soft_time_limit,
            time_limit=time_limit,
            retention=retention,
            libraries=libraries,
            file_field=file_field,
        )

    return declare


def _models(function: JobFunction[Any, Any], name: str) -> tuple[type[BaseModel], type[BaseModel] | None]:
    try:
        hints = get_type_hints(function)
    except NameError as error:
        raise ConfigurationError(
            f"Job type {name!r}: an annotation cannot be read: {error}. Import or declare it at the top of the module,"
            " outside of `if TYPE_CHECKING:`."
        ) from error
    output = hints.pop("return", None)
    parameters = [hints.get(parameter) for parameter in inspect.signature(function).parameters]
    taken = parameters[1] if len(parameters) == 2 else None  # noqa: PLR2004 - ctx and input
    if not _is_model(taken):
        shape = f"def {name.rpartition('.')[2]}(ctx: JobContext, input: YourModel)"
        raise ConfigurationError(f"Job type {name!r}: write it as `{shape}`")
    if output is not None and output is not type(None) and not _is_model(output):
        raise ConfigurationError(f"Job type {name!r}: its return annotation must be a Pydantic model or None")
    return taken, output if _is_model(output) else None


def _is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
