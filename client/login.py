"""Which login goes to which server of a list of URLs.

nats-py shows what a URL carries as it stands there, percent-encoded, and a login that is given beside
it to all servers. So servers with different logins are different connections to try.
"""

from __future__ import annotations

from urllib.parse import unquote


def by_login(
    urls: str, user: str | None = None, password: str | None = None
) -> list[tuple[list[str], dict[str, str]]]:
    """The servers of a comma-separated list that share a login, in order, and what nats-py takes for
    it; `user` and `password` are for those whose URL carries none. Raises ValueError where a login is
    not UTF-8."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    given = {} if user is None else {"user": user, "password": password or ""}
    for url in _split(urls):
        scheme, login, host = _parts(url)
        of_url = _decoded(login) if login is not None else given
        groups.setdefault(tuple(of_url.items()), []).append(scheme + host)
    return [(servers, dict(login)) for login, servers in groups.items()]


def without_login(urls: str) -> str:
    """The same list, fit to be shown."""
    return ",".join(scheme + host for scheme, _, host in map(_parts, _split(urls)))


def _split(urls: str) -> list[str]:
    return [url for one in urls.split(",") if (url := one.strip())]


def _parts(url: str) -> tuple[str, str | None, str]:
    scheme, mark, rest = url.rpartition("://")
    login, at, host = rest.rpartition("@")
    return scheme + mark, login if at else None, host


def _decoded(login: str) -> dict[str, str]:
    user, colon, password = login.partition(":")
    if not colon:
        return {"token": unquote(user, errors="strict")}
    return {"user": unquote(user, errors="strict"), "password": unquote(password, errors="strict")}
