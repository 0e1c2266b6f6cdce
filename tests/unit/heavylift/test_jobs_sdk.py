"""The decorator that makes a function a job type. What runs it is tested with the worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import BaseModel, Field

from heavylift import JobContext, JobType, RetryPolicy, job
from heavylift.errors import ConfigurationError
from heavylift.model import JobTypeInfo


class Greeting(BaseModel):
    name: str = Field(min_length=1)


class Answer(BaseModel):
    text: str


def hello(ctx: JobContext, input: Greeting) -> Answer:  # noqa: A002 - job code calls it so
    """Say hello."""
    return Answer(text=f"Hello {input.name}")


def without_output(ctx: JobContext, input: Greeting) -> None:  # noqa: A002
    return None


async def in_its_time(ctx: JobContext, input: Greeting) -> Answer:  # noqa: A002
    return Answer(text=input.name)


NO_CONTEXT = cast("JobContext", None)


def test_a_job_type_publishes_what_the_api_needs_to_validate() -> None:
    made = job(
        "greet.hello",
        queue="greetings",
        retry=RetryPolicy(max_attempts=5),
        soft_time_limit=timedelta(minutes=1),
        time_limit=timedelta(minutes=2),
        retention=timedelta(days=1),
        file_field="name",
    )(hello)

    info = made.info()

    assert isinstance(made, JobType)
    assert (info.type, info.queue, info.description, info.file_field) == (
        "greet.hello",
        "greetings",
        "Say hello.",
        "name",
    )
    assert info.input_schema == Greeting.model_json_schema()
    assert info.output_schema == Answer.model_json_schema()
    assert (info.retry.max_attempts, info.soft_time_limit, info.time_limit) == (
        5,
        timedelta(minutes=1),
        timedelta(minutes=2),
    )
    assert JobTypeInfo.model_validate_json(info.model_dump_json()) == info


def test_the_function_can_still_be_called_by_a_test_of_its_own() -> None:
    assert job("hello")(hello)(NO_CONTEXT, Greeting(name="Ada")) == Answer(text="Hello Ada")


def test_a_job_without_output_publishes_null() -> None:
    made = job("quiet")(without_output)

    assert made.info().output_schema == {"type": "null"}
    assert made.output_model is None


def test_a_coroutine_function_is_known_as_one() -> None:
    assert job("slow")(in_its_time).is_async
    assert not job("fast")(hello).is_async


def no_input(ctx: JobContext) -> None: ...


def plain_input(ctx: JobContext, input: dict[str, Any]) -> None: ...  # noqa: A002


def bare(ctx, input): ...  # noqa: A002


def too_many(ctx: JobContext, input: Greeting, more: int) -> None: ...  # noqa: A002


@pytest.mark.parametrize("function", [no_input, plain_input, bare, too_many])
def test_a_function_of_another_shape_is_refused_with_the_right_one(function: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"`def wrong\(ctx: JobContext, input: YourModel\)`"):
        job("some.wrong")(function)


def test_an_annotation_that_exists_for_type_checkers_alone_is_named() -> None:
    def typed(ctx: JobContext, input: Greeting) -> None: ...  # noqa: A002

    typed.__annotations__["ctx"] = "Unimported"
    with pytest.raises(ConfigurationError, match=r"^Job type 'typed': .*'Unimported' is not defined\. Import or"):
        job("typed")(typed)


def test_an_output_that_is_no_model_is_refused() -> None:
    def text(ctx: JobContext, input: Greeting) -> str:  # noqa: A002
        return ""

    with pytest.raises(ConfigurationError, match="return annotation"):
        job("text")(cast("Any", text))


@pytest.mark.parametrize("queue", ["Video", "video-long", "", "1st", "a b", "x" * 64, "video\n", None, 7])
def test_a_queue_name_that_could_be_no_key_is_refused(queue: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Job type 'hello': queue is .* it takes lower case letters"):
        job("hello", queue=queue)


@pytest.mark.parametrize("name", ["video", "proj.tasks.Do_It", "v2/video:fast-one", "_private", "7z", "x" * 200])
def test_what_celery_and_people_call_a_type_is_taken(name: str) -> None:
    assert job(name)(hello).name == name


@pytest.mark.parametrize("name", ["Bad Name", "", "-x", ".x", "a\n", "a?b", "a*", "x" * 201, None, 7])
def test_a_name_that_could_not_be_sent_is_refused(name: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"its name takes letters, digits, .* such as video\.transcode"):
        job(name)


@pytest.mark.parametrize(
    ("parameter", "value", "takes"),
    [
        ("time_limit", 60, r"timedelta\(seconds=60\), or None"),
        ("time_limit", timedelta(0), "above zero"),
        ("soft_time_limit", 1.5, r"timedelta\(seconds=60\), or None"),
        ("retention", None, r"timedelta\(days=7\)"),
        ("retention", timedelta(days=-1), r"timedelta\(days=7\)"),
        ("retry", 3, r"RetryPolicy\(max_attempts=5\)"),
        ("retry_on", OSError, r"\(OSError,\)"),
        ("retry_on", ("OSError",), r"\(OSError,\)"),
        ("libraries", "numpy", r"\(\"numpy\",\)"),
        ("libraries", (1,), r"\(\"numpy\",\)"),
        ("file_field", 7, "name of a field"),
    ],
)
def test_a_parameter_of_another_kind_is_refused_with_what_it_takes(parameter: str, value: object, takes: str) -> None:
    wrong: Any = {parameter: value}
    with pytest.raises(ConfigurationError, match=rf"^Job type 'hello': {parameter} is .*; it takes .*{takes}"):
        job("hello", **wrong)


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    with pytest.raises(ConfigurationError, match=r"x{79}…; it takes"):
        job("hello", retry=cast("Any", "x" * 1000))


def test_a_bare_decorator_is_told_the_right_form() -> None:
    with pytest.raises(ConfigurationError, match=r'write @job\("hello"\) above `def hello`'):
        job(cast("Any", hello))


class Aliased(BaseModel):
    source: str = Field(alias="file")


class Open(BaseModel, extra="allow"):
    pass


class Tree(BaseModel):
    source: str
    branches: list[Tree] = []


class Empty(BaseModel):
    pass


@pytest.mark.parametrize(("model", "field"), [(Greeting, "name"), (Aliased, "file"), (Open, "any"), (Tree, "source")])
def test_a_file_field_is_one_that_the_input_is_sent_with(model: type[BaseModel], field: str) -> None:
    assert job("take", file_field=field)(_taking(model)).info().file_field == field


@pytest.mark.parametrize(
    ("model", "field", "there"),
    [
        (Greeting, "nope", "its fields are name"),
        (Aliased, "source", "its fields are file"),
        (Tree, "leaf", "its fields are source, branches"),
        (Empty, "name", "it has none"),
    ],
)
def test_a_file_field_that_the_input_lacks_is_refused(model: type[BaseModel], field: str, there: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'take': file_field '{field}' is no field of its input: {there}"):
        job("take", file_field=field)(_taking(model))


def _taking(model: type[BaseModel]) -> Any:
    def take(ctx: JobContext, input: BaseModel) -> None: ...  # noqa: A002

    take.__annotations__["input"] = model
    return take
