"""The one way out to a provider: which addresses may be used, and the HTTP sessions that use no others.

A name proves nothing: it may resolve to something else a second later, and `127.1`, `0x7f.1` and `2130706433` are all
the loopback. So the address is judged where it can no longer change, in the call that makes the socket for it; Host
and SNI keep the name. Redirects and proxy variables are never followed.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial

import aiohttp
from yarl import URL

from sessions.providers.base import ProviderError, Secret

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PUBLIC_PORTS = (443, 8443)
DNS_CACHE_SECONDS = 10

# What an operator who allows local providers lets in.
_LOCAL = [
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
]
# Never used, although `is_global` or the list above would admit them.
_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's metadata service
        "192.0.0.0/24",  # protocol assignments, Oracle's metadata service among them
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",  # multicast
        "fd00:ec2::254/128",  # metadata services of AWS and Google on unique local addresses
        "fd20:ce::254/128",
        "2001::/23",  # Teredo, ORCHID and other protocol assignments
        "2002::/16",  # 6to4: carries an IPv4 address
        "3fff::/20",  # documentation
    )
]
# Public IPv6 is this block alone. Outside it stand NAT64, IPv4-mapped and IPv4-compatible addresses, which reach an
# IPv4 address under another name.
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")


class AddressBlockedError(OSError):
    """An OSError, so that the connector tries the name's next address and reports this one like any that failed."""

    def __init__(self) -> None:
        super().__init__("address blocked")


def is_allowed(address: str, allow_local: bool) -> bool:
    """Whether a socket may be connected to this numeric address. Anything that is not one is refused."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(ip in network for network in _NEVER):
        return False
    if any(ip in network for network in _LOCAL):
        return allow_local
    return ip.is_global and (ip.version == 4 or ip in _PUBLIC_IPV6)


@lru_cache(maxsize=256)
def check_url(url: str, allow_local: bool) -> URL:
    """The URL when its form is allowed: https on a usual port, or with `allow_local` also http and any port; no user
    name or password. Numeric hosts come back in canonical form. Raises ProviderError("address_blocked")."""
    try:
        parsed = URL(url)
        host, port = parsed.raw_host or "", parsed.port
        checked = parsed.with_host(_canonical(host)) if host else parsed
    except ValueError:
        raise ProviderError("address_blocked") from None
    schemes = ("https", "http") if allow_local else ("https",)
    usual = allow_local or port in PUBLIC_PORTS
    if parsed.scheme not in schemes or not host or "%" in host or parsed.raw_user or parsed.raw_password or not usual:
        raise ProviderError("address_blocked")
    return checked


async def check_address(url: str, allow_local: bool) -> list[str]:
    """The addresses behind a provider's URL, for the moment when a person enters it.

    Raises ProviderError: `address_blocked` when the form or any one of the addresses is not allowed,
    `connect_failed` when the name does not resolve. Connections are judged again, on the socket.
    """
    checked = check_url(url, allow_local)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(checked.raw_host, checked.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ProviderError("address_blocked") from None
    except OSError:
        raise ProviderError("connect_failed") from None
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not all(is_allowed(address, allow_local) for address in addresses):
        raise ProviderError("address_blocked")
    return addresses


def usable_key(api_key: Secret) -> str:
    """The key, when a header can carry it. A call without a key of its own must not go out at all: some libraries
    would send the platform's. Raises ProviderError before any request."""
    if not api_key.value.strip():
        raise ProviderError("no_key")
    if not (api_key.value.isascii() and api_key.value.isprintable()):
        raise ProviderError("provider_auth")
    return api_key.value


_sessions: dict[tuple[asyncio.AbstractEventLoop, bool], aiohttp.ClientSession] = {}


def http_session(allow_local: bool) -> aiohttp.ClientSession:
    """The shared session of the running event loop. Local and public providers share no connections."""
    key = (asyncio.get_running_loop(), allow_local)
    session = _sessions.get(key)
    if session is None or session.closed:
        for other in list(_sessions):  # a copy: another thread's loop may add its own
            if other[0].is_closed():
                _sessions.pop(other, None)
        session = _sessions[key] = _new_session(allow_local)
    return session


async def close_sessions() -> None:
    """Close the running loop's sessions and their connections."""
    loop = asyncio.get_running_loop()
    for allow_local in (False, True):
        if session := _sessions.pop((loop, allow_local), None):
            await session.close()


@contextmanager
def wire_errors() -> Iterator[None]:
    """Turn what aiohttp raises into ProviderErrors."""
    try:
        yield
    except aiohttp.InvalidURL:
        raise ProviderError("address_blocked") from None
    except aiohttp.ConnectionTimeoutError:
        raise ProviderError("timeout_connect") from None
    except aiohttp.ClientConnectorError as error:
        blocked = isinstance(error.__cause__, AddressBlockedError)
        raise ProviderError("address_blocked" if blocked else "connect_failed") from None
    except aiohttp.ClientPayloadError:
        raise ProviderError("stream_cut") from None
    except aiohttp.ClientResponseError:
        raise ProviderError("malformed_stream") from None
    except TimeoutError:
        raise ProviderError("timeout_wall") from None
    except (aiohttp.ClientError, OSError):
        raise ProviderError("connection_lost") from None


def _canonical(host: str) -> str:
    """`127.1`, `0x7f.1` and `2130706433` as the address that the resolver makes of them; names as they are."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return host


def _new_session(allow_local: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,  # the gateway's fairness limits requests per provider
        ttl_dns_cache=DNS_CACHE_SECONDS,
        resolver=aiohttp.ThreadedResolver(),
        socket_factory=partial(_open_socket, allow_local),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,  # we ask for identity; what comes compressed anyway could be a bomb
        headers={"User-Agent": "crucible", "Accept-Encoding": "identity"},
    )


def _open_socket(allow_local: bool, info: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, address = info
    if not is_allowed(str(address[0]), allow_local):
        raise AddressBlockedError
    return socket.socket(family, kind, protocol)
