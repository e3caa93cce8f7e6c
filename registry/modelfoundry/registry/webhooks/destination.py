"""Where deliveries go: public HTTP servers, and nothing else unless the operator says so."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Timeout, parse_url

from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened

MAX_URL: Final = 2000
SECONDS: Final = 10.0
PORTS: Final = {"http": 80, "https": 443}
# Addresses that stand for IPv4 addresses behind a translator.
_TRANSLATED: Final = ip_network("64:ff9b::/96")


class Unreachable(Exception):
    """A delivery could not be made; says why."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL in its parts."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @classmethod
    def of(cls, url: str, *, field: str) -> Destination:
        """Takes a URL apart.

        Raises:
            InvalidField: it is not http or https, too long, names no host, or has a password in it.
        """
        try:
            parts = parse_url(url) if len(url) <= MAX_URL and url.isprintable() else None
        except LocationParseError:
            parts = None
        if parts is None or parts.scheme not in PORTS or not parts.host or parts.auth:
            raise InvalidField(
                f"{field}: {shortened(url)!r} is no http or https URL without password",
                field=field,
                hint="pass for example https://hub.example.com/hooks/modelfoundry",
            )
        return cls(parts.scheme, parts.host.strip("[]"), parts.port or PORTS[parts.scheme], parts.request_uri)

    @property
    def authority(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def find_address(destination: Destination, *, allow_private: bool) -> str:
    """An address of the destination's host.

    Raises:
        Unreachable: there is none, or one of them is not public and that is not allowed.
    """
    try:
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"{destination.host} has no address: {error}") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    private = [address for address in addresses if not _is_public(ip_address(address))]
    if private and not allow_private:
        raise Unreachable(f"{destination.host} is at {private[0]}, which is no public address")
    return addresses[0]


def post(destination: Destination, address: str, headers: dict[str, str], body: bytes) -> int:
    """Sends one request to an address that was looked at, follows no redirect, and returns the status.

    Raises:
        Unreachable: there was no answer in time.
    """
    with _pool(destination, address) as pool:
        try:
            response = pool.urlopen(
                "POST",
                destination.target,
                body=body,
                headers={**headers, "Host": destination.authority},
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise Unreachable(f"no answer: {error}") from error
        response.close()  # what it says besides the status is of no interest
        return response.status


def _pool(destination: Destination, address: str) -> urllib3.HTTPConnectionPool:
    timeout = Timeout(total=SECONDS)
    if destination.scheme == "http":
        return urllib3.HTTPConnectionPool(address, destination.port, timeout=timeout)
    # The name is asked for and checked, the address is the one that was looked at: nobody can swap it in between.
    return urllib3.HTTPSConnectionPool(
        address,
        destination.port,
        timeout=timeout,
        server_hostname=destination.host,
        assert_hostname=destination.host,
    )


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        teredo = address.teredo
        inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
        if address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast
