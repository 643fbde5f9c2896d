"""Which login goes to which server of a list of URLs.

nats-py shows what a URL carries as it stands there, percent-encoded, and a login that is given beside
it to all servers. So servers with different logins are different connections to try.

All languages read such a list alike: `src/mono/address.rs` has the rule.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_SCHEME = re.compile("(nats|tls|wss?)://", re.IGNORECASE | re.ASCII)
#: A host, perhaps with a port and a path; what is not ASCII is encoded, as are % and a comma.
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?([/?#]([!-$&-+\--~]|%[0-9A-Fa-f]{2})*)?"
)
#: What to do where a part of a login may be taken for something else.
_ENCODE = (
    "a special character in a user name, password or token is "
    "percent-encoded (@ is %40, / is %2F, : is %3A, # is %23, ? is %3F, % is %25, "
    "a comma is %2C), and a login in a list has a scheme before it"
)
#: What may surround a URL; each language has blanks of its own.
_BLANKS = "\t\n\v\f\r "


def by_login(
    urls: str, user: str | None = None, password: str | None = None
) -> list[tuple[list[str], dict[str, str]]]:
    """The servers of a comma-separated list that share a login, in order, and what nats-py takes for
    it; `user` and `password` are for those whose URL carries none. Raises ValueError, with nothing of
    the URLs in it, where one of them could be read in two ways, or none is named."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    given = {} if user is None else {"user": user, "password": password or ""}
    for item in _items(urls):
        scheme, info, host = _parts(item)
        if re.search("[,/?#]", info) or not _HOST.fullmatch(host):
            raise ValueError(_why_unreadable(item, info, host))
        groups.setdefault(tuple((_decoded(info) or given).items()), []).append(scheme + host)
    if not groups:
        raise ValueError("no server is named")
    return [(servers, dict(login)) for login, servers in groups.items()]


def _why_unreadable(item: str, info: str, host: str) -> str:
    """A part of a login may stand in the place of the host, unless only the port is wrong."""
    # Nothing else of it: what cannot be read may be a password.
    if not _SCHEME.match(item) and re.match(r"[A-Za-z0-9+.-]+://", item, re.ASCII):
        web = re.match("https?://", item, re.ASCII)
        of_web = f"{web[0]} is that of a web server, and " if web else ""
        why = f"{of_web}its scheme is none of nats://, tls://, ws://, wss://"
        return f"not a NATS URL: {why}" + (f"; {_ENCODE}" if info else "")
    name = re.split("[/?#:]", host, maxsplit=1)[0]
    if not re.search("[,/?#]", info) and (not info or _HOST.fullmatch(name)):
        return "not a NATS URL: expected nats://HOST:PORT"
    return f"not a NATS URL: {_ENCODE}"


def without_login(urls: str) -> str:
    """The same list, fit to be shown. What stands where a host should stand and cannot be one may be
    a password, or the end of a query with an `@`: from there on nothing is shown."""
    shown: list[str] = []
    for scheme, info, host in map(_parts, _items(urls)):
        if re.search("[?#]", info) or not _HOST.fullmatch(host):
            return ",".join([*shown, "…"])
        # What stands behind it may be a secret too, as a gateway's.
        place, *query = re.split("[?#]", host, maxsplit=1)
        shown.append(scheme + place + ("?…" if query else ""))
    return ",".join(shown)


def _items(urls: str) -> list[str]:
    """A comma that should have been encoded cuts a login in two: an `@` without a scheme takes what
    stands before it, up to a scheme or the end of another login without one. It cuts a query in two
    as well: what has no scheme and follows one belongs to it."""
    items: list[str] = []
    for piece in filter(None, (piece.strip(_BLANKS) for piece in urls.split(","))):
        item = piece
        if items and re.search("[?#]", items[-1]) and not _SCHEME.match(item):
            item = f"{items.pop()},{item}"
        while "@" in item and not _SCHEME.match(item) and items and _may_be_cut(items[-1]):
            item = f"{items.pop()},{item}"
        items.append(item)
    return items


def _may_be_cut(item: str) -> bool:
    """Whether what follows a comma may belong to its login."""
    return "@" not in item or _SCHEME.match(item) is not None


def _parts(item: str) -> tuple[str, str, str]:
    """Scheme, login as it is written, and host; a password may have an `@`: the last one counts."""
    found = _SCHEME.match(item)
    scheme = found[0] if found else ""
    info, _, host = item[len(scheme) :].rpartition("@")
    return scheme.lower(), info, host


def _decoded(info: str) -> dict[str, str]:
    user, colon, password = info.partition(":")
    try:
        user, password = unquote(user, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("the user, password or token in a URL is not UTF-8") from None
    if info in ("", ":"):
        return {}
    return {"user": user, "password": password} if colon else {"token": user}
