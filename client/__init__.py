"""Clients for the services of mono-demo, over a connection of nats-py.

    nc = await nats.connect("nats://localhost:4222")
    assert await MathClient(nc).add(10, 5) == 15
    await EmailClient(nc).send_email("user@example.com", "Subject", "Body")
    payment = PaymentClient(nc)
    await payment.submit_payment("pay-001", "user-123", "sub-monthly", 9.99)
    status = await payment.wait_for_status("pay-001")
    await nc.drain()

Every error is a ClientError that says whether the operation certainly did not happen: see
`client.errors`. One file a pattern: `math` (request-reply), `email` (queue group), `payment`
(JetStream). `driver` speaks for these classes to `mono-demo e2e`.
"""

from .body import Number
from .email import Email, EmailClient, EmailLike
from .errors import (
    BadInput,
    BadReply,
    ClientError,
    ConnectionFailed,
    DomainError,
    NoResponders,
    NoStream,
    PayloadTooLarge,
    PermissionDenied,
    PublishRefused,
    RequestTimeout,
    ServiceError,
)
from .math import MathClient, MathReply
from .money import Amount
from .payment import PaymentClient, PaymentStatus, Status
from .wire import Ack

__all__ = [
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
