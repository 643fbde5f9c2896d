"""What can go wrong, as exceptions: each one says whether the operation certainly did not happen.

ClientError
 ├─ BadInput            refused here, before anything was sent (also a ValueError)
 │   └─ PayloadTooLarge larger than the server's max_payload
 ├─ NoResponders        nobody listens on the subject
 ├─ NoStream            no stream stores the subject
 ├─ RequestTimeout      no answer in time: it may have happened (also a TimeoutError)
 ├─ ConnectionFailed    no connection, or it broke (also a ConnectionError)
 ├─ PermissionDenied    the server does not let this user do it (also a PermissionError)
 ├─ ServiceError        the service answered with an error: code, message, kind
 ├─ DomainError         the service answered that the question has no answer
 ├─ PublishRefused      JetStream answered, and stored nothing
 └─ BadReply            an answer came that does not follow the contract

`definite` is True where it certainly did not happen, so that doing it again cannot do it twice.
It is False where it may have happened: look first, or repeat only what is idempotent.
"""

from __future__ import annotations

__all__ = [
    "BadInput",
    "BadReply",
    "ClientError",
    "ConnectionFailed",
    "DomainError",
    "NoResponders",
    "NoStream",
    "PayloadTooLarge",
    "PermissionDenied",
    "PublishRefused",
    "RequestTimeout",
    "ServiceError",
]


class ClientError(Exception):
    """Base of everything this package raises on purpose."""

    #: True if the operation certainly did not happen.
    definite: bool = False


class BadInput(ClientError, ValueError):
    """The arguments cannot be sent; nothing was."""

    definite = True


class PayloadTooLarge(BadInput):
    """Headers and body together exceed what the server accepts; nothing was sent."""


class NoResponders(ClientError):
    """Nobody listens on the subject: the service is not running."""

    definite = True


class NoStream(ClientError):
    """No stream stores what is published on the subject, so nothing was stored."""

    definite = True


class RequestTimeout(ClientError, TimeoutError):
    """No answer came in time. It may have happened all the same."""


class ConnectionFailed(ClientError, ConnectionError):
    """There was no connection to send on (definite), or it broke on the way (not definite)."""

    def __init__(self, message: str, *, definite: bool) -> None:
        super().__init__(message)
        self.definite = definite


class PermissionDenied(ClientError, PermissionError):
    """The server refused it for this user.

    `definite` but for one case: what it refused is the inbox that the answer would have come to.
    """

    def __init__(self, message: str, *, definite: bool = True) -> None:
        super().__init__(message)
        self.definite = definite


class ServiceError(ClientError):
    """The service answered with an error.

    `code` is HTTP's: 400 for a request it cannot handle, 500 for a failure inside, 503 while it is
    overloaded or draining. `kind` is its one word for it, as `bad-request`; may be empty.
    """

    def __init__(self, code: int, message: str, kind: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.kind = kind
        # A failure inside may have come after the effect; the others come before the work.
        self.definite = 400 <= code < 500 or code == 503


class DomainError(ClientError):
    """The service understood, and the answer is that there is none, as `invalid operation`."""

    definite = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class PublishRefused(ClientError):
    """JetStream answered with an error and stored nothing; `code` and `err_code` are its own."""

    definite = True

    def __init__(self, code: int, err_code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.err_code = err_code
        self.message = message


class BadReply(ClientError):
    """An answer came, and it does not follow the contract: not JSON, or a field is missing."""
