"""What `import client` offers, pinned."""

from __future__ import annotations

import inspect

import client
import client.errors


def test_all_is_what_users_may_rely_on() -> None:
    assert client.__all__ == [
        "Ack",
        "Amount",
        "BadInput",
        "BadReply",
        "ClientError",
        "ConnectionFailed",
        "DomainError",
        "Email",
        "EmailClient",
        "EmailLike",
        "MathClient",
        "MathReply",
        "NoResponders",
        "NoStream",
        "Number",
        "PayloadTooLarge",
        "PaymentClient",
        "PaymentStatus",
        "PermissionDenied",
        "PublishRefused",
        "RequestTimeout",
        "ServiceError",
        "Status",
    ]
    for name in client.__all__:
        assert hasattr(client, name), name


def test_every_error_is_exported_and_is_a_client_error() -> None:
    for name in client.errors.__all__:
        error = getattr(client, name)
        assert issubclass(error, client.ClientError)


def test_errors_are_also_the_builtin_ones_they_stand_for() -> None:
    assert issubclass(client.BadInput, ValueError)
    assert issubclass(client.RequestTimeout, TimeoutError)
    assert issubclass(client.ConnectionFailed, ConnectionError)
    assert issubclass(client.PermissionDenied, PermissionError)


def test_errors_say_whether_it_certainly_did_not_happen() -> None:
    assert client.BadInput.definite
    assert client.NoResponders.definite
    assert not client.RequestTimeout.definite
    assert client.ServiceError(400, "x").definite
    assert client.ServiceError(503, "x").definite
    assert not client.ServiceError(500, "x").definite


def test_every_method_bounds_its_time_by_keyword() -> None:
    for cls in (client.MathClient, client.EmailClient, client.PaymentClient):
        for name, method in inspect.getmembers(cls, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                timeout = inspect.signature(method).parameters["timeout"]
                assert timeout.kind is inspect.Parameter.KEYWORD_ONLY, f"{cls.__name__}.{name}"
