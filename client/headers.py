"""The header block of a message, read from its bytes by the rules that clients of all languages share.

nats-py 2.16 reads blocks in the middle of its read loop. Some bytes that a publisher may choose end
that loop, and the connection is deaf until its pings fail; of other blocks it leaves out what it
cannot read, and an error could be taken for a result. It has no public place to read them elsewhere,
so `guard` puts this file's reading into a connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from weakref import WeakSet, ref

import nats.protocol.parser
from nats.aio.client import Client as NATS
from nats.aio.msg import Msg

from .errors import BadReply
from .subjects import excerpt

#: The one header of a message that could not be read; no publisher can send this name.
UNREADABLE = ":unreadable"

# What the server says beside "no responders".
_SUBJECT = "Nats-Subject"

# Unicode's White_Space; Python's own also has four control characters.
_BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_BLANK = re.compile(f"[{_BLANKS}]")
_BROKEN = re.compile("[\r\n\0]")
_NAME = re.compile(r"[!-9;-~]+")
_FIRST_LINE = re.compile(rf"NATS/1\.0(?:[{_BLANKS}]+(.*))?", re.DOTALL)
_STATUS = re.compile(r"[1-9][0-9]{2}")
# nats-py's own take any white space for the end of a subject; the server only these.
_MSG = re.compile(rb"\AMSG[ \t]+([^ \t\r\n]+)[ \t]+([0-9]+)[ \t]+(([^ \t\r\n]+)[ \t]+)?(\d+)\r\n")
_HMSG = re.compile(
    rb"\AHMSG[ \t]+([^ \t\r\n]+)[ \t]+([0-9]+)[ \t]+(([^ \t\r\n]+)[ \t]+)?(\d+)[ \t]+(\d+)\r\n"
)

_guarded: WeakSet[NATS] = WeakSet()


class Headers(dict[str, str]):
    """The headers of a message as nats-py has them, the last value of a name and the status as
    `Status`; and, beside that, all values of the lines and the status of the first line."""

    def __init__(self) -> None:
        super().__init__()
        self.values_of: dict[str, list[str]] = {}
        #: 0 where the first line has none.
        self.status = 0
        #: Of the whole block, as it came.
        self.size_bytes = 0


def guard(nc: NATS) -> None:
    """Lets no message, whatever its bytes, end the connection's read loop, and no complaint of the
    server the connection for good, as nats-py does: where the server closes it, it is made anew."""
    if nc in _guarded:
        return
    _guarded.add(nc)
    nats.protocol.parser.MSG_RE = _MSG
    nats.protocol.parser.HMSG_RE = _HMSG
    # Nothing that the connection keeps may keep the connection.
    connection = ref(nc)

    async def process_headers(block: bytes) -> Headers | None:
        return read(block) if block else None

    def build_message(
        sid: int, subject: bytes, reply: bytes, data: bytes, headers: Headers | None
    ) -> Any:
        for what, given in (("subject", subject), ("reply subject", reply)):
            try:
                given.decode()
            except UnicodeDecodeError:
                headers = _unreadable(f"the {what} is not UTF-8")
                subject = subject.decode(errors="replace").encode()
                reply = b""  # there is nowhere to answer
        known = connection()
        return known and type(known)._build_message(known, sid, subject, reply, data, headers)

    async def process_err(words: str) -> None:
        known = connection()
        if known is None:
            return
        if "stale connection" in words or not known.is_connected:
            await type(known)._process_err(known, words)
        else:
            # It has lowered the words, the subject in them too; its parser still has the line.
            line = nats.protocol.parser.ERR_RE.match(known._ps.buf)
            said = line[1].decode() if line else words
            await known._error_cb(nats.errors.Error(f"nats: {said.strip(chr(39))}"))

    nc._process_err = process_err  # type: ignore[method-assign, assignment]
    nc._process_headers = process_headers  # type: ignore[method-assign, assignment]
    nc._build_message = build_message  # type: ignore[method-assign, assignment]


def check(message: Msg) -> Headers:
    """The headers of a message; raises BadReply where they cannot be read."""
    headers = message.headers if isinstance(message.headers, Headers) else Headers()
    if UNREADABLE in headers:
        raise BadReply(
            f"a message came on {excerpt(message.subject)}, and it cannot be read: "
            f"{headers[UNREADABLE]}"
        )
    return headers


def is_no_responders(message: Msg) -> bool:
    """True for the word of the server itself that nobody listens: status 503, no body, and not a
    byte more than it takes to say so, and for which subject.

    Whatever else has that status comes from somebody who has read the request.
    """
    headers = message.headers
    if not isinstance(headers, Headers) or headers.status != 503 or message.data:
        return False
    words, subjects = headers.get("Description", ""), headers.values_of.get(_SUBJECT, [])
    said = "NATS/1.0 503" + (f" {words}" if words else "") + "\r\n"
    said += "".join(f"{_SUBJECT}: {subject}\r\n" for subject in subjects) + "\r\n"
    return len(subjects) <= 1 and headers.size_bytes == len(said.encode())


def first(headers: Mapping[str, str], name: str) -> str:
    """The first value of a name; empty where there is none."""
    if isinstance(headers, Headers):
        return headers.values_of.get(name, [""])[0]
    return headers.get(name, "")


def read(block: bytes) -> Headers:
    """Reads a block; of one that cannot be read there is UNREADABLE, with the reason."""
    try:
        headers = _parse(block.decode())
        headers.size_bytes = len(block)
        return headers
    except UnicodeDecodeError:
        return _unreadable("the headers are not UTF-8")
    except ValueError as error:
        return _unreadable(str(error))


def _unreadable(why: str) -> Headers:
    headers = Headers()
    headers[UNREADABLE] = why
    return headers


def _parse(block: str) -> Headers:
    lines = block.split("\r\n")
    first_line = _FIRST_LINE.fullmatch(lines[0])
    if first_line is None:
        raise ValueError("the first line is not NATS/1.0")
    if _BROKEN.search(lines[0]):
        raise ValueError("the first line has a line break or a NUL in it")
    headers = Headers()
    status, *words = _BLANK.split((first_line[1] or "").strip(_BLANKS), maxsplit=1)
    if status:
        if not _STATUS.fullmatch(status):
            raise ValueError("the status is not a number of three digits")
        headers.status = int(status)
    at = 1
    while at < len(lines):
        line, at = lines[at], at + 1
        if not line:
            # Some readers stop here: what they do not see could be an error.
            if lines[at:] not in ([], [""]):
                raise ValueError("something is behind the empty line that ends them")
            break
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise ValueError("a line has no colon" if not colon else "a header has no name")
        if not _NAME.fullmatch(name):
            raise ValueError("a header's name is not of visible ASCII characters")
        # A line that begins with white space goes on with the value of the one before.
        while at < len(lines) and lines[at][:1] and lines[at][0] in _BLANKS:
            value, at = value + lines[at], at + 1
        if _BROKEN.search(value):
            raise ValueError("a header's value has a line break or a NUL in it")
        headers[name] = value.strip(_BLANKS)
        headers.values_of.setdefault(name, []).append(headers[name])
    # For nats-py itself.
    if status:
        headers["Status"] = status
    if words:
        headers["Description"] = words[0].strip(_BLANKS)
    return headers
