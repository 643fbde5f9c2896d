"""Bad input and its good neighbours, through the client's checks; Rust reads the same file."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

import pytest

from client import BadInput, BadReply, body, email, wire
from client.denials import refused
from client.money import MINOR_UNITS, amount_token
from client.payment import PaymentClient
from client.subjects import check_payment_id, check_publish_subject


def read(name: str) -> Any:
    return json.loads((Path(__file__).parents[1] / "vectors" / name).read_text("utf-8"))


FILE = read("bad-input.json")
PERMISSIONS = read("permissions.json")["rows"]
SUBSCRIPTIONS = read("subscriptions.json")["rows"]
MINE = {name for name, group in FILE["groups"].items() if "python" in group["languages"]}
VECTORS = [vector for vector in FILE["vectors"] if vector["group"] in MINE]


class Published(Exception):
    """All checks have passed: the client has turned to its connection."""


class NoConnection:
    """Stands for a connection; whatever is asked of it comes after the checks."""

    def __getattr__(self, name: str) -> NoReturn:
        raise Published(name)


def as_bytes(text: Any) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if "base64" in text:
        return base64.b64decode(text["base64"])
    return "".join(piece * times for piece, times in text["parts"]).encode()


def as_text(text: Any) -> str:
    """Half a surrogate pair becomes just that: a Python text can be no character."""
    return as_bytes(text).decode("utf-8", "surrogatepass")


def judge(vector: dict[str, Any]) -> Decimal | None:
    """The value of an amount; raises BadInput or BadReply for what is refused."""
    group = vector["group"]
    if group == "payment_id":
        check_payment_id(as_text(vector["input"]))
    elif group == "amount":
        given = as_text(vector["input"])
        amount = number(given) if vector["form"] == "number" else given
        return Decimal(amount_token(amount, as_text(vector["currency"])))
    elif group == "payment":
        submit({name: as_text(value) for name, value in vector["fields"].items()})
    elif group == "email":
        email._message(*(as_text(vector[name]) for name in ("to", "subject", "body")))
    elif group == "json":
        body.decode(as_bytes(vector["input"]))
    elif group == "subject":
        check_publish_subject(as_text(vector["input"]))
    elif group == "header":
        wire.Outgoing("a", b"", {as_text(vector["name"]): [as_text(vector["value"])]})
    else:
        raise AssertionError(f"no such group: {group}")
    return None


def number(token: str) -> Any:
    """What a Python caller has in hand who read `token` from a JSON document, exactly."""
    document = b'{"amount":' + token.encode() + b"}"
    if len(token) > 4000:  # Python itself refuses to read a longer int
        return Decimal(token)
    return json.loads(document, parse_float=exact, parse_constant=exact)["amount"]


def exact(token: str) -> Decimal | str:
    try:
        return Decimal(token)
    except InvalidOperation:  # an exponent that Python has no Decimal for
        return token


def submit(fields: dict[str, Any]) -> None:
    async def attempt() -> None:
        client = PaymentClient(NoConnection())  # type: ignore[arg-type]
        try:
            await client.submit_payment(**fields)
        except Published:
            return
        raise AssertionError("nothing was published, and nothing was wrong")

    asyncio.run(attempt())


def shown(vector: dict[str, Any]) -> str:
    given = {key: value for key, value in vector.items() if key not in ("group", "verdict", "why")}
    return f"{vector['group']}-{vector['verdict']}-{ascii(given)[:60]}"


@pytest.mark.parametrize("vector", VECTORS, ids=shown)
def test_a_vector_gets_its_verdict_here_too(vector: dict[str, Any]) -> None:
    try:
        value = judge(vector)
    except (BadInput, BadReply) as refusal:
        assert vector["verdict"] == "reject", refusal
        assert vector.get("field", "").removesuffix("_id") in str(refusal)
        assert len(str(refusal)) < 700
    except json.JSONDecodeError:
        # The caller has no number to give.
        assert (vector["group"], vector["verdict"]) == ("amount", "reject")
    else:
        assert vector["verdict"] == "accept", value
        if vector["group"] == "amount":
            assert value == Decimal(vector["value"])


@pytest.mark.parametrize("group", sorted(MINE))
def test_a_vector_with_the_opposite_verdict_is_told(group: str) -> None:
    opposite = {"accept": "reject", "reject": "accept"}
    for vector in (vector for vector in VECTORS if vector["group"] == group):
        doctored = {**vector, "verdict": opposite[vector["verdict"]]}
        with pytest.raises(AssertionError):
            test_a_vector_gets_its_verdict_here_too(doctored)


def test_a_group_that_is_left_out_says_why() -> None:
    assert len(VECTORS) >= 250
    for name, group in FILE["groups"].items():
        assert name in MINE or group["why"], name


def test_the_table_of_currencies_is_the_shared_one() -> None:
    assert read("currencies.json")["decimals"] == MINOR_UNITS


@pytest.mark.parametrize("row", SUBSCRIPTIONS, ids=lambda row: row["name"])
def test_a_subscription_gets_the_verdict_of_its_row(row: dict[str, Any]) -> None:
    subject, group = as_text(row["subject"]), as_text(row.get("queue_group", ""))

    async def attempt() -> str:
        nc: Any = NoConnection()
        try:
            await wire.subscribe(nc, subject, nothing, queue_group=group)
        except Published:
            return "accept"
        except BadInput:
            return "reject"
        raise AssertionError("nothing was asked of the connection, and nothing was wrong")

    assert asyncio.run(attempt()) == row["verdict"]


async def nothing(_: object) -> None:
    """What a subscription hands its messages to."""


@pytest.mark.parametrize("words, subject", PERMISSIONS, ids=ascii)
def test_the_words_of_a_server_name_the_subject_of_their_row(
    words: str, subject: str | None
) -> None:
    action = "publish" if "for Publish" in words else "subscription"
    assert refused(words) == (None if subject is None else (action, subject))


@pytest.mark.parametrize("quoted", [r'"\ud800"', r'"\U00110000"'])
def test_what_no_server_quotes_names_no_subject(quoted: str) -> None:
    assert refused(f"Permissions Violation for Publish to {quoted}") is None
