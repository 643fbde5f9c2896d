"""Bodies, ids and subjects: what may go out, and what is believed of what comes in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from client import BadInput, BadReply, body
from client.subjects import check_payment_id, check_publish_subject, payment_events


def test_fields_keep_their_order_and_none_is_left_out() -> None:
    fields = {"b": 1, "a": "x", "none": None, "amount": body.Token("9.90")}
    assert body.encode(fields) == b'{"b":1,"a":"x","amount":9.90}'


def test_text_goes_out_as_utf_8() -> None:
    assert body.encode({"to": 'é"\u2028'}) == '{"to":"é\\"\u2028"}'.encode()


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf")])
def test_what_json_cannot_carry_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="a cannot be sent"):
        body.encode({"a": value})


def test_floats_are_read_as_asked() -> None:
    assert body.decode(b'{"a": 9.90}', parse_float=Decimal) == {"a": Decimal("9.90")}
    assert isinstance(body.decode(b'{"a": 15}')["a"], int)


@pytest.mark.parametrize(
    "data", [b"", b"nope", b"[1]", b"15", b"\xff", b'{"a": NaN}', b'{"a":' * 100_000]
)
def test_a_reply_that_is_no_json_object_is_a_bad_reply(data: bytes) -> None:
    with pytest.raises(BadReply) as bad:
        body.decode(data)
    assert len(str(bad.value)) < 300


@pytest.mark.parametrize("value", [True, "1", None, Decimal(1), float("nan"), float("-inf"), 1j])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="^a must be"):
        body.check_number("a", value)


@pytest.mark.parametrize("payment_id", ["a", "pay-001", "A_9-z", "x" * 64])
def test_a_payment_id_becomes_part_of_its_subject(payment_id: str) -> None:
    assert payment_events(payment_id) == f"payments.events.{payment_id}"


@pytest.mark.parametrize(
    "payment_id", ["", "x" * 65, "a.b", "a b", "*", ">", "é", "pay\n", "pay\r\n", None, 7, b"a"]
)
def test_what_is_no_payment_id_is_refused(payment_id: Any) -> None:
    with pytest.raises(BadInput, match="payment_id"):
        check_payment_id(payment_id)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "a.*",
        "a.>",
        "*",
        "a b",
        "a\r\nPUB x",
        "a\x00",
        "\ud800",
        "a" * 1025,
    ],
)
def test_what_cannot_be_published_to_is_refused(subject: str) -> None:
    with pytest.raises(BadInput, match="subject"):
        check_publish_subject(subject)


def test_a_literal_subject_passes() -> None:
    assert check_publish_subject("services.math.calculate") == "services.math.calculate"
    assert check_publish_subject("a*b.c>") == "a*b.c>"
