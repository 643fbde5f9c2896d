"""Connects for a driver: at once or not at all, and from then on it reconnects for ever."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import nats.aio.client

from ..errors import ClientError, ConnectionFailed, PermissionDenied
from ..headers import guard
from ..login import by_login, without_login
from ..subjects import excerpt
from .lines import log

#: How long a hello tries to connect, seconds.
CONNECT_TIMEOUT = 5.0
#: How long the drain may take at the end of input, and before it what is in hand, seconds.
DRAIN_TIMEOUT = 3.0
#: Between two attempts to reconnect, seconds: a broker that is killed is back in no time.
RECONNECT_WAIT = 0.05
#: Between two pings, seconds; a connection on which nothing arrives any more is noticed after three.
PING_INTERVAL = 5


async def connect(url: str, user: str | None, password: str | None) -> nats.aio.client.Client:
    """Connects, and from then on reconnects for ever; raises PermissionDenied, ConnectionFailed."""
    shown = excerpt(without_login(url))
    try:
        groups = by_login(url, user, password)
    except ValueError as error:
        raise ConnectionFailed(f"cannot connect to {shown}: {error}", definite=True) from error
    failures: list[ClientError] = []
    for servers, login in groups:
        try:
            return await dial(servers, login, shown, CONNECT_TIMEOUT / len(groups))
        except (PermissionDenied, ConnectionFailed) as error:
            failures.append(error)
    # One that answered says more than one that is away.
    failures.sort(key=lambda error: not isinstance(error, PermissionDenied))
    raise failures[0]


async def dial(
    servers: list[str], login: Mapping[str, str], shown: str, limit: float
) -> nats.aio.client.Client:
    """The same with one login; no message has anything of it."""
    nc = nats.aio.client.Client()
    guard(nc)
    refused, untrusted = asyncio.Event(), asyncio.Event()
    last: list[Exception] = []
    strangers = 0

    async def on_error(error: Exception) -> None:
        nonlocal strangers
        log(f"nats: {error or type(error).__name__}")
        last[:] = [error]
        # What one of them shows does not get better by asking again.
        strangers += isinstance(error, ssl.SSLCertVerificationError)
        if strangers >= len(servers):
            untrusted.set()
        if "authorization" in str(error).lower() or "authentication" in str(error).lower():
            refused.set()

    async def on_reconnect() -> None:
        log("nats: connected again")

    options: dict[str, Any] = {
        "name": "mono-demo python driver",
        "error_cb": on_error,
        "reconnected_cb": on_reconnect,
        "connect_timeout": 1,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_WAIT,
        "drain_timeout": DRAIN_TIMEOUT,
        "ping_interval": PING_INTERVAL,
        "max_outstanding_pings": 2,
        **login,
    }
    connecting = asyncio.ensure_future(nc.connect(servers, **options))
    denial = asyncio.ensure_future(refused.wait())
    stranger = asyncio.ensure_future(untrusted.wait())
    try:
        await asyncio.wait(
            {connecting, denial, stranger},
            timeout=limit,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if connecting.done():
            connecting.result()
            return nc
    except Exception as error:  # a URL that nats-py cannot read, in its many ways
        text = f"cannot connect to {shown}: {error!r}"
        raise ConnectionFailed(text, definite=True) from error
    finally:
        connecting.cancel()
        denial.cancel()
        stranger.cancel()
    cause = str(last[0]) or type(last[0]).__name__ if last else "no answer"
    if refused.is_set():
        raise PermissionDenied(f"{shown} refused the connection: {cause}")
    if untrusted.is_set():
        raise ConnectionFailed(f"{shown} is not trusted: {cause}", definite=True)
    raise ConnectionFailed(f"no connection to {shown} within {limit:g} s: {cause}", definite=True)
