"""Which part of an artifact a request asks for."""

from __future__ import annotations

import pytest

from heavylift_api.errors import RangeNotSatisfiable
from heavylift_api.ranges import Span, requested, unchanged

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-5", Span(2, 6)),
        ("bytes=2-", Span(2, 10)),
        ("bytes=2-99", Span(2, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-99", Span(0, 10)),
        ("bytes = 1 - 2", Span(1, 3)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
        ("nonsense", None),
    ],
)
def test_a_range_is_read(header: str, span: Span | None) -> None:
    assert requested({"range": header}, ETAG, 10) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_outside_is_refused(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refusal:
        requested({"range": header}, ETAG, size)
    assert refusal.value.response_headers == {"Content-Range": f"bytes */{size}"}


@pytest.mark.parametrize(("if_range", "span"), [(ETAG, Span(0, 1)), ('"old"', None), (f"W/{ETAG}", None)])
def test_if_range_counts_only_for_the_same_version(if_range: str, span: Span | None) -> None:
    assert requested({"range": "bytes=0-0", "if-range": if_range}, ETAG, 10) == span


@pytest.mark.parametrize(
    ("header", "same"), [('"abc"', True), ('W/"abc"', True), ('"x", "abc"', True), ("*", True), ('"x"', False)]
)
def test_if_none_match_names_versions(header: str, same: bool) -> None:
    assert unchanged({"if-none-match": header}, ETAG) is same
