"""EmailClient against the real queue group."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import Server, connected, fence, tapped, unique

from client import BadInput, EmailClient, PayloadTooLarge
from client.subjects import EMAIL_SEND


async def test_an_email_goes_out_as_it_was_given(server: Server) -> None:
    to = f"{unique('user')}@example.com"
    async with connected(server) as nc, tapped(nc, EMAIL_SEND) as tap:
        await EmailClient(nc).send_email(to, "Größe", "line 1\nline 2")
        [message] = await tap.until(1)
        assert json.loads(message.data) == {
            "to": to,
            "subject": "Größe",
            "body": "line 1\nline 2",
        }
        assert message.reply == ""


async def test_the_body_is_optional(server: Server) -> None:
    async with connected(server) as nc, tapped(nc, EMAIL_SEND) as tap:
        await EmailClient(nc).send_email("user@example.com", "Hello")
        [message] = await tap.until(1)
        assert message.data == b'{"to":"user@example.com","subject":"Hello"}'


async def test_confirm_returns_once_a_worker_has_it(server: Server) -> None:
    async with connected(server) as nc:
        received = nc.stats["in_msgs"]
        await EmailClient(nc).send_email("user@example.com", "Hello", confirm=True)
        assert nc.stats["in_msgs"] == received + 1, "the worker's acknowledgement"


async def test_each_of_the_bulk_goes_out_once(server: Server) -> None:
    mark = unique("bulk")
    emails: list[Any] = [
        {"to": f"{mark}-{n}@example.com", "subject": "Hi", "body": str(n)} for n in range(50)
    ]
    emails += [(f"{mark}-{n}@example.com", "Hi", str(n)) for n in range(50, 99)]
    emails += [(f"{mark}-99@example.com", "Hi")]
    async with connected(server) as nc, tapped(nc, EMAIL_SEND) as tap:
        assert await EmailClient(nc).send_bulk_emails(emails) == 100
        await tap.until(100)
        addressed = [json.loads(data)["to"] for data in tap.bodies() if mark.encode() in data]
        assert addressed == [f"{mark}-{n}@example.com" for n in range(100)]
    assert sorted(await server.sent_emails(mark, 100)) == sorted(addressed), "to one worker each"


async def test_a_bulk_of_none_is_zero(server: Server) -> None:
    async with connected(server) as nc:
        assert await EmailClient(nc).send_bulk_emails([]) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"subject": "no to"},
        {"to": "", "subject": "empty to"},
        {"to": "a@example.com"},
        {"to": "a@example.com", "subject": "Hi", "body": None},
        ("a@example.com",),
        ("a@example.com", "Hi", "body", "more"),
        ("a@example.com", 7),
        "a@example.com",
        None,
    ],
)
async def test_one_bad_email_keeps_the_whole_bulk_back(server: Server, bad: Any) -> None:
    good = {"to": "good@example.com", "subject": "Hi", "body": ""}
    async with connected(server) as nc:
        sent_before = nc.stats["out_msgs"]
        with pytest.raises(BadInput, match=r"emails\[1\]"):
            await EmailClient(nc).send_bulk_emails([good, bad, good])
        assert nc.stats["out_msgs"] == sent_before


async def test_one_that_is_too_large_keeps_the_whole_bulk_back(server: Server) -> None:
    mark = unique("large")
    async with connected(server) as nc, tapped(nc, EMAIL_SEND) as tap:
        large = (f"{mark}@example.com", "Hi", "x" * nc.max_payload)
        with pytest.raises(PayloadTooLarge) as error:
            await EmailClient(nc).send_bulk_emails([(f"{mark}@example.com", "Hi"), large])
        assert error.value.definite
        await fence(nc, EMAIL_SEND, tap)
        assert not [data for data in tap.bodies() if mark.encode() in data]


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("", "Hi"),
        (" ", "Hi"),
        ("a@example.com", ""),
        (None, "Hi"),
        ("a@example.com\r\nBcc: all@example.com", "Hi"),
        ("a@example.com", "Hi\x00"),
    ],
)
async def test_to_and_subject_are_required_single_lines(
    server: Server, to: Any, subject: Any
) -> None:
    async with connected(server) as nc:
        with pytest.raises(BadInput):
            await EmailClient(nc).send_email(to, subject, "Body")
