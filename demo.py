#!/usr/bin/env python3
"""A tour of the three patterns over NATS: request-reply, queue group, JetStream.

    mono-demo serve      # in one terminal; in a checkout: cargo run -- serve
    python demo.py       # in another

Waits for outcomes, never for time to pass. Exit status: 0 all as told, 1 something differs, 2 bad
usage, 3 no server or no nats-py, 8 refused by the server, or not trusted.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import io
import json
import logging
import os
import secrets
import shutil
import ssl
import stat
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from nats.aio.client import Client as NATS

DEFAULT_URL = "nats://127.0.0.1:4222"
HINT_SERVE = "mono-demo serve" if shutil.which("mono-demo") else "cargo run -- serve"
HINT_LOGIN = (
    "name a user with NATS_USER and NATS_PASSWORD, or in the URL, and with NATS_CA who signed the "
    "server's certificate; without NATS_URL and --server a running `serve` of yours is found, and lets you in"
)
HINT_CA = "NATS_CA names a file with the certificates, in PEM, of the authorities that are trusted"
HINT_INSTALL = (
    "python -m pip install --require-hashes -r client/requirements.txt, "
    "or `mono-demo doctor --fix`, and run it with the Python at the path that this shows"
)

EXIT_DIFFERS = 1
EXIT_USAGE = 2
EXIT_INFRASTRUCTURE = 3
EXIT_REFUSED = 8

#: How long a payment may take to reach its outcome, seconds.
PAYMENT_TIMEOUT = 30.0


class Differs(Exception):
    """The services did something else than the tour tells."""


class Unreachable(Exception):
    """There is no server to tour."""


class Unusable(Exception):
    """What the tour was given cannot be used."""


class Refused(Unreachable):
    """There is one, and it does not let this user in, or is not to be trusted."""


class Narrator:
    """Prints the tour; in colour on a terminal, unless NO_COLOR is set."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def heading(self, text: str) -> None:
        print(f"\n{self._paint('1;36', text)}")

    def say(self, text: str) -> None:
        print(f"  {text}")

    def call(self, code: str, outcome: object) -> None:
        print(f"  {code} {self._paint('2', '->')} {self._paint('32', str(outcome))}")

    def done(self, text: str) -> None:
        print(f"\n{self._paint('1;32', text)}")

    def _paint(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour else text


async def math_tour(nc: NATS, tell: Narrator) -> None:
    from client import MathClient

    tell.heading("Math: request-reply")
    tell.say("A request carries a reply subject; one instance of the service answers.")
    math = MathClient(nc)
    asks: tuple[tuple[str, Callable[[], Awaitable[float | None]], float], ...] = (
        ("add(10, 5)", lambda: math.add(10, 5), 15),
        ("subtract(10, 5)", lambda: math.subtract(10, 5), 5),
        ("multiply(10, 5)", lambda: math.multiply(10, 5), 50),
        ("divide(10, 4)", lambda: math.divide(10, 4), 2.5),
        ("power(2, 10)", lambda: math.power(2, 10), 1024),
        ("sqrt(144)", lambda: math.sqrt(144), 12),
    )
    for code, ask, expected in asks:
        result = await ask()
        tell.call(code, result)
        expect(result == expected, f"{code} is {expected}, and the service says {result}")
    tell.say("What has no result is an answer too, with `error` in place of `result`:")
    reply = await math.calculate("divide", 1, 0)
    tell.call('calculate("divide", 1, 0)', reply.get("error"))
    expect("result" not in reply and "error" in reply, f"1 / 0 has no result, got {reply}")


async def email_tour(nc: NATS, tell: Narrator) -> None:
    from client import BadInput, EmailClient

    tell.heading("Email: queue group")
    tell.say("Fire and forget: the workers share the subject, each email goes to exactly one.")
    email = EmailClient(nc)
    await email.send_email("user@example.com", "Welcome", "Glad you are here.", confirm=True)
    tell.call('send_email("user@example.com", "Welcome", …, confirm=True)', "a worker has it")
    queued = await email.send_bulk_emails(
        [
            {"to": f"user{n}@example.com", "subject": "Newsletter", "body": f"Issue {n}"}
            for n in (1, 2, 3)
        ]
    )
    tell.call("send_bulk_emails([3 emails])", f"{queued} queued")
    expect(queued == 3, f"3 emails were given, and {queued} were queued")
    try:
        await email.send_email("", "Nobody")
    except BadInput as error:
        tell.call('send_email("", "Nobody")', f"refused before it is sent: {error}")
    else:
        raise Differs("an email to nobody was accepted")


async def payment_tour(nc: NATS, tell: Narrator) -> None:
    from client import PaymentClient

    tell.heading("Payment: JetStream")
    tell.say("The stream keeps a payment from its acknowledgement on, whatever crashes.")
    payment = PaymentClient(nc)
    payment_id = str(uuid.uuid4())
    tell.say(f"payment id: {payment_id}")

    ack = await payment.submit_payment(payment_id, "user-123", "sub-monthly", "9.99")
    tell.call("submit_payment(id, …, 9.99)", f"stored in {ack.stream}")
    expect(not ack.duplicate, "a new payment was taken for a duplicate")
    status = await payment.wait_for_status(payment_id, timeout=PAYMENT_TIMEOUT)
    tell.call("wait_for_status(id)", f"{status['status']}: {status.get('message', '')}")
    expect(status["status"] == "completed", f"payment {payment_id} came to {status['status']}")

    tell.say("Submitted again, as after a lost acknowledgement: charged once.")
    again = await payment.submit_payment(payment_id, "user-123", "sub-monthly", "9.99")
    tell.call("submit_payment(id, …, 9.99)", "a duplicate" if again.duplicate else "stored")
    expect(again.duplicate, "the same payment was stored twice")

    tell.say("The same id with another amount: the first outcome stands.")
    other = await payment.submit_payment(payment_id, "user-123", "sub-monthly", "19.99")
    tell.call("submit_payment(id, …, 19.99)", "a duplicate" if other.duplicate else "stored")
    after = await payment.get_status(payment_id)
    tell.call("get_status(id)", after["status"])
    expect(after == status, f"the outcome changed from {status} to {after}")


TOURS: dict[str, Callable[[NATS, Narrator], Awaitable[None]]] = {
    "math": math_tour,
    "email": email_tour,
    "payment": payment_tour,
}


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Differs(otherwise)


def find_url(explicit: str | None, env: Mapping[str, str]) -> str:
    """Where the server is: `--server`, NATS_URL, a running `serve`, the default of NATS."""
    if url := explicit or env.get("NATS_URL"):
        return url
    found = running_serves(env)
    return str(found[0]["url"]) if found else DEFAULT_URL


def named_login(env: Mapping[str, str]) -> dict[str, Any]:
    """What to show a server that was named, as nats-py takes it: NATS_USER, NATS_PASSWORD, NATS_CA."""
    return login_of(*(env.get(f"NATS_{name}") for name in ("USER", "PASSWORD", "CA")))


def serve_login(serve: Mapping[str, Any], role: str) -> dict[str, Any]:
    """What to show a running `serve` in a role, from the file that it names."""
    names = ("user", "password", "ca", "token", "creds")
    try:
        if folder := serve.get("contexts"):
            shown = json.loads((Path(folder) / f"{role}.json").read_text())
        else:
            shown = serve["login"]
        return login_of(*(shown.get(name) for name in names))
    except (Unusable, OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # it asks for nothing


def login_of(
    user: str | None,
    password: str | None,
    ca: str | None,
    token: str | None = None,
    creds: str | None = None,
) -> dict[str, Any]:
    login: dict[str, Any] = {"user": user, "password": password} if user else {}
    if token:
        login["token"] = token
    if creds:
        login["user_credentials"] = creds
    if ca:
        login["tls"] = trusting(ca)
    return login


def trusting(ca: str) -> ssl.SSLContext:
    """TLS with whoever an authority in this file has signed; raises Unusable."""
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError as error:
        raise Unusable(f"the authority {ca}: no PEM of a certificate is in this file") from error
    except OSError as error:
        raise Unusable(f"the authority {ca}: {error.strerror or error}") from error


def running_serves(env: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each living `serve` of this user says of itself, the newest first.

    Whether the server at its URL is the one that is meant, only `proves` tells."""
    folder = runtime_folder(env)
    if folder is None or not is_ours(folder):
        return []
    found = [serve for path in folder.glob("serve-*.json") if (serve := read_serve(path))]
    return sorted(found, key=lambda serve: serve["since_ms"], reverse=True)


def runtime_folder(env: Mapping[str, str]) -> Path | None:
    """Where a running `serve` says where it is; none where nobody knows a folder of this user's own.

    A relative path in an XDG variable is ignored, as their specification says."""
    if runtime := absolute(env.get("XDG_RUNTIME_DIR")):
        return runtime / "mono-demo"
    cache = absolute(env.get("XDG_CACHE_HOME"))
    if cache is None and (home := home_folder(env)):
        cache = home / ".cache"
    return cache / "mono-demo" / "run" if cache else None


def home_folder(env: Mapping[str, str]) -> Path | None:
    """HOME, or what the password database says of this user; never a guess."""
    if home := env.get("HOME"):
        return absolute(home)
    try:
        # Path.home() would ask the environment of this process.
        import pwd

        return absolute(pwd.getpwuid(os.getuid()).pw_dir)
    except (ImportError, KeyError):
        return Path.home() if os.name != "posix" else None


def absolute(text: str | None) -> Path | None:
    return Path(text) if text and Path(text).is_absolute() else None


def read_serve(path: Path) -> dict[str, Any] | None:
    try:
        if not is_ours(path):
            return None
        found: dict[str, Any] = json.loads(path.read_text())
        pid, started = int(found["pid"]), found.get("started")
        serve = {**found, "url": str(found["url"]), "secret": str(found["secret"])}
        serve["since_ms"] = int(found.get("since_ms", 0))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = path.name == f"serve-{pid}.json" and is_alive(pid) and began(pid) == started
    return serve if same else None


def is_ours(path: Path) -> bool:
    """Whether it belongs to this user, is no link, and nobody else may write it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    if os.name != "posix":
        return True
    return (
        not stat.S_ISLNK(found.st_mode)
        and found.st_uid == os.geteuid()
        and not found.st_mode & 0o022
    )


def began(pid: int) -> int | None:
    """When a process began, in the system's ticks: pids are used again (proc(5), the 22nd word)."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    if os.name != "posix":
        return True  # where signal 0 would end it; a dead one is noticed when connecting
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it lives, and belongs to somebody else
    return True


def answer(secret: str, question: bytes, name: str = "") -> str:
    """What only a holder of the secret can say to a question that was asked at the server of this name;
    the secret does not follow from it."""
    return hmac.new(secret.encode(), question + b"\0" + name.encode(), "sha256").hexdigest()


async def proves(nc: NATS, secret: str, name: str = "") -> bool:
    """Whether the server is that of the `serve` whose file has this secret, which is never sent.

    Asked as a finder, the answer also has the name of the server that was asked."""
    question = secrets.token_hex(32).encode()
    subject = f"services.serve.proof-{answer(secret, b'subject')[:16]}"
    try:
        reply = await nc.request(subject, question, timeout=2)
    except Exception:  # no responders, a timeout, a lost connection: not proved
        return False
    return hmac.compare_digest(reply.data, answer(secret, question, name).encode())


async def connect(url: str, login: Mapping[str, Any]) -> NATS:
    """Connects, or raises Unreachable or Refused within a few seconds; a login in a URL comes before
    `login`."""
    from client.login import by_login, without_login

    shown = without_login(url)
    try:
        groups = by_login(url)
    except ValueError as error:
        raise Unreachable(f"no NATS server at {shown}: {error}") from error
    causes: list[str] = []
    for servers, of_url in groups:
        # Certificates are for all; another login is not shown beside that of the URL.
        names = {"tls"} if of_url else set(login)
        options = {name: value for name, value in login.items() if name in names}
        try:
            return await dial(servers, {**options, **of_url}, causes)
        except Exception as error:  # nats-py has no common base for an unreadable URL
            causes.append(f"{error or type(error).__name__}")
    for cause in causes:
        if "authorization violation" in cause.lower():
            raise Refused(f"the server at {shown} refused the login: {cause}")
        if "CERTIFICATE_VERIFY_FAILED" in cause:
            raise Refused(f"the server at {shown} is not trusted: {cause}")
    raise Unreachable(f"no NATS server at {shown}: {causes[0]}")


async def dial(servers: list[str], login: Mapping[str, Any], causes: list[str]) -> NATS:
    import nats

    # So many of them are not trusted; that does not get better.
    strangers = 0
    hopeless: asyncio.Future[NATS] = asyncio.get_running_loop().create_future()

    async def on_error(error: Exception) -> None:
        nonlocal strangers
        causes.append(str(error) or type(error).__name__)
        strangers += isinstance(error, ssl.SSLCertVerificationError)
        if strangers >= len(servers) and not hopeless.done():
            hopeless.set_exception(error)

    connecting = asyncio.ensure_future(
        nats.connect(
            servers,
            **login,
            name="demo.py",
            error_cb=on_error,
            connect_timeout=2,
            max_reconnect_attempts=3,
            reconnect_time_wait=0.1,
        )
    )
    either = {connecting, hopeless}
    for one in either:  # whichever is not waited for any more has no outcome for anybody
        one.add_done_callback(lambda one: one.cancelled() or one.exception())
    try:
        done, _ = await asyncio.wait(either, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise asyncio.TimeoutError
        return done.pop().result()
    finally:
        connecting.cancel()
        hopeless.cancel()


async def find(explicit: str | None, env: Mapping[str, str]) -> NATS:
    """A connection to the server that is named, else to a running `serve` that proves itself, else
    to the default of NATS."""
    if url := explicit or env.get("NATS_URL"):
        return await connect(url, named_login(env))
    for serve in running_serves(env):
        if nc := await find_serve(serve):
            return nc
    return await connect(DEFAULT_URL, {})


async def find_serve(serve: Mapping[str, Any]) -> NATS | None:
    """A connection to this `serve`; no password is shown to a server that has not proved itself."""
    if not serve.get("contexts"):
        # Where it joined a system with a login in its URLs, they are in that of its login.
        joined = serve.get("login")
        url = str(joined.get("url") or serve["url"]) if isinstance(joined, dict) else serve["url"]
        return await proved(url, serve_login(serve, "client"), serve["secret"])
    finder = serve_login(serve, "finder")
    # One server after the other: what one of them proved says nothing of another one's port.
    for url, name in zip(serve["url"].split(","), str(serve.get("name", "")).split(","), strict=False):
        found = await proved(url, finder, serve["secret"], name if "user" in finder else "")
        if found is None:
            continue
        # While the one connection lasts, nobody else can have taken the port for the other.
        nc = await proved(url, serve_login(serve, "client"), serve["secret"])
        await found.close()
        if nc is not None:
            return nc
    return None


async def proved(url: str, login: Mapping[str, Any], secret: str, name: str = "") -> NATS | None:
    try:
        nc = await connect(url, login)
    except (Unreachable, OSError):
        return None
    if await proves(nc, secret, name):
        return nc
    await nc.close()
    return None


async def tour(
    explicit: str | None, env: Mapping[str, str], names: list[str], tell: Narrator
) -> None:
    nc = await find(explicit, env)
    try:
        for name in names:
            await TOURS[name](nc, tell)
    finally:
        await nc.close()


def fail(status: int, message: str, hint: str = "") -> int:
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return status


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="A tour of request-reply, queue group and JetStream with mono-demo's services.",
        epilog=f"Start the services first: {HINT_SERVE}",
    )
    only = parser.add_mutually_exclusive_group()
    for name in TOURS:
        only.add_argument(
            f"--{name}-only",
            dest="names",
            action="store_const",
            const=[name],
            help=f"only the {name} part",
        )
    parser.add_argument(
        "-s",
        "--server",
        "--nats-url",
        dest="nats_url",
        metavar="URL",
        help=f"default: NATS_URL, else a running `serve`, else {DEFAULT_URL}",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    try:
        from client import ClientError, NoResponders, NoStream, PermissionDenied
        from client.login import without_login
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "nats":
            raise
        return fail(EXIT_INFRASTRUCTURE, "nats-py is not installed", HINT_INSTALL)

    # Of a server that goes away, asyncio says "returning true from eof_received() has no effect".
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    tell = Narrator(colour=colour)
    url = without_login(find_url(args.nats_url, os.environ))
    try:
        asyncio.run(tour(args.nats_url, os.environ, args.names or list(TOURS), tell))
    except Unusable as error:
        return fail(EXIT_USAGE, str(error), HINT_CA)
    except Refused as error:
        return fail(EXIT_REFUSED, str(error), HINT_LOGIN)
    except Unreachable as error:
        return fail(EXIT_INFRASTRUCTURE, str(error), HINT_SERVE)
    except (NoResponders, NoStream) as error:
        return fail(EXIT_INFRASTRUCTURE, f"{url} does not run the services: {error}", HINT_SERVE)
    except PermissionDenied as error:
        return fail(EXIT_REFUSED, str(error), HINT_LOGIN)
    except (ClientError, Differs) as error:
        return fail(EXIT_DIFFERS, str(error))
    except KeyboardInterrupt:
        return fail(130, "interrupted")
    tell.done("All as told.")
    return 0


def run() -> NoReturn:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without the characters still tours
    try:
        try:
            status = main()
        except SystemExit as ended:  # of argparse, after --help and mistakes
            status = ended.code if isinstance(ended.code, int) else EXIT_USAGE
        sys.stdout.flush()
    except BrokenPipeError:  # as in `demo.py | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = EXIT_DIFFERS
    except OSError as error:  # a full disk; what goes wrong with a server is told by its kind
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = fail(EXIT_INFRASTRUCTURE, f"write to stdout: {error.strerror or error}")
    sys.exit(status)


if __name__ == "__main__":
    run()
