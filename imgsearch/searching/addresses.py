"""fetch(), fetched(): the address of a picture on the web in, its bytes out.

An address may be a stranger's, and the server that answers may mean harm. So: http and https alone,
a bound on bytes, time and redirects, nothing sent that says who asks, no proxy, no password and no
cookie. A name is resolved once, the numeric address it stands for must be a public one, and that
very address is connected to: a name that resolves to another on second thought (DNS rebinding)
gains nothing. Every redirect starts from the beginning. Whether the bytes are a picture is for
`images.decode` to say, whatever the server calls them.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from imgsearch.errors import QueryError
from imgsearch.queries import Address, Query

Numeric: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_BYTES = 50_000_000
MAX_REDIRECTS = 5
CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 30.0  # looking up a name apart, which the system bounds by itself

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_AT_ONCE = 1 << 16
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # the last four bytes are an IPv4 address
# Set aside since, or not known to every version of `ipaddress`.
_SET_ASIDE = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "100:0:0:1::/64", "3fff::/20"),
    )
)
_LITERAL = "/%:@!$&'()*+,;=~?"  # of a path or a query, besides letters and digits


def is_public(address: Numeric) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local, multicast
    or reserved, nor an IPv6 form of an IPv4 address that is.
    """
    if isinstance(address, ipaddress.IPv6Address):
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        carried = [each for each in inside if each is not None]
        if carried:
            return all(map(is_public, carried))
        if address.is_site_local:  # of old, and global to `ipaddress`
            return False
    if any(address in network for network in _SET_ASIDE):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    seconds: float = TOTAL_SECONDS,
    may_reach: Callable[[Numeric], bool] = is_public,
) -> bytes:
    """The bytes at an address. Raises QueryError, which says why there are none."""
    deadline = time.monotonic() + seconds
    at = url
    for _ in range(MAX_REDIRECTS + 1):
        try:
            answer = _ask(_target(at), deadline, max_bytes, may_reach)
            if isinstance(answer, bytes):
                return answer
            at = urljoin(at, answer.location)
        except TimeoutError as error:
            raise _refusal(url, f"no answer came in time ({seconds:g} seconds at most)") from error
        except ssl.SSLError as error:
            raise _refusal(
                url, f"the server cannot be trusted ({error.reason or error})"
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _refusal(url, str(error) or type(error).__name__) from error
    raise _refusal(url, f"it leads on more than {MAX_REDIRECTS} times")


def fetched(query: Query, *, may_reach: Callable[[Numeric], bool] = is_public) -> Query:
    """The query with what is at its addresses, which need not be the same when asked again.

    Raises QueryError.
    """
    terms = tuple(
        replace(term, subject=replace(at, content=fetch(at.url, may_reach=may_reach)))
        if isinstance(at := term.subject, Address)
        else term
        for term in query.terms
    )
    return replace(query, terms=terms)


@dataclass(frozen=True)
class _Target:
    """An address taken apart: where to connect, and what to ask there."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class _Redirect:
    location: str


class _Reading(io.RawIOBase):
    """What comes out of a connected socket, every step of it before a deadline."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self._deadline = connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv_into(buffer)


@dataclass(frozen=True)
class _Wire:
    """A connected socket as http.client wants one; whoever made the socket closes it."""

    connected: socket.socket
    deadline: float

    def sendall(self, request: bytes) -> None:
        self.connected.settimeout(_left(self.deadline))
        self.connected.sendall(request)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self.connected, self.deadline))

    def close(self) -> None:
        """http.client closes as soon as it has the headers, where no other request may follow."""


def _target(url: str) -> _Target:
    """Raises ValueError for an address that is none."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError(f"it leads to {parts.scheme}:, and only http and https are asked")
    if "@" in parts.netloc:
        raise ValueError("it holds a user's name or password, and none is sent")
    if not parts.hostname:
        raise ValueError("it names no host")
    host = parts.hostname
    if ":" not in host:  # else it is an IPv6 address
        host = host.encode("idna").decode("ascii")  # UnicodeError is a ValueError
    return _Target(parts.scheme, host, parts.port or _PORTS[parts.scheme], _path(parts))


def _path(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_LITERAL)
    return f"{path}?{quote(parts.query, safe=_LITERAL)}" if parts.query else path


def _ask(
    target: _Target, deadline: float, max_bytes: int, may_reach: Callable[[Numeric], bool]
) -> bytes | _Redirect:
    """One request to one server. Raises OSError, HTTPException and ValueError."""
    with _connected(target, deadline, may_reach) as connected:
        is_https = target.scheme == "https"
        kind = http.client.HTTPSConnection if is_https else http.client.HTTPConnection
        connection = kind(target.host, target.port)
        connection.sock = _Wire(connected, deadline)
        headers = {"User-Agent": "imgsearch", "Accept": "image/*", "Connection": "close"}
        connection.request("GET", target.path, headers=headers)
        with connection.getresponse() as response:
            if response.status in _REDIRECTS:
                return _Redirect(response.getheader("Location", ""))
            if response.status != http.HTTPStatus.OK:
                raise ValueError(f"the server answers {response.status} {response.reason}")
            return _body(response, max_bytes)


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    content = bytearray()
    while len(content) <= max_bytes and (response.length or 0) <= max_bytes:
        part = response.read(_AT_ONCE)
        if not part:
            return bytes(content)
        content += part
    raise ValueError(f"it holds more than {max_bytes:,} bytes")


def _connected(
    target: _Target, deadline: float, may_reach: Callable[[Numeric], bool]
) -> socket.socket:
    """A socket to the first address of a host that may be reached and answers."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    numbers = dict.fromkeys(str(place[0]) for *_, place in found)
    reachable = [each for each in numbers if may_reach(ipaddress.ip_address(each))]
    if not reachable:
        stands_for = "" if target.host in numbers else f"{' and '.join(numbers)}, which is "
        raise ValueError(f"{target.host} is {stands_for}no address of the open internet")
    failed: OSError | None = None
    for each in reachable:
        try:
            timeout = min(CONNECT_SECONDS, _left(deadline))
            connected = socket.create_connection((each, target.port), timeout=timeout)
        except OSError as error:
            failed = error
            continue
        return _secured(connected, target, deadline) if target.scheme == "https" else connected
    raise failed or OSError("it has no address")


def _secured(connected: socket.socket, target: _Target, deadline: float) -> socket.socket:
    connected.settimeout(_left(deadline))
    try:
        return ssl.create_default_context().wrap_socket(connected, server_hostname=target.host)
    except BaseException:
        connected.close()
        raise


def _left(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _refusal(url: str, reason: str) -> QueryError:
    return QueryError(
        f"the picture at {url} cannot be fetched: {reason}; save it to a file, and search with that"
    )
