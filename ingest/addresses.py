"""Network addresses of clients: found behind trusted proxies, cut short before anything is kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

IPV4_KEPT_BITS: Final = 24
IPV6_KEPT_BITS: Final = 48  # what one site is given (RFC 6177); a /64 is one household

_REMEMBERED: Final = 20_000
_MAX_HOPS: Final = 20  # a longer chain is nobody's; reading it costs the attacker less than us

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(trusted: Iterable[Network]) -> Callable[[str, bytes, bytes], str]:
    """A function that says who sent a request: (peer, X-Forwarded-For, Forwarded) -> address as text.

    Both headers are read only of a peer in `trusted`, from the right, as far as each next hop is trusted as well: what
    stands further left is the client's own claim. `Forwarded` (RFC 7239) is used when there is no X-Forwarded-For.
    """
    networks = tuple(trusted)

    def is_trusted(address: Address) -> bool:
        return any(address in network for network in networks)

    @functools.lru_cache(maxsize=_REMEMBERED)
    def find(peer: str, x_forwarded_for: bytes, forwarded: bytes) -> str:
        address = read_address(peer)
        if address is None or not is_trusted(address):
            return peer
        for hop in _hops(x_forwarded_for, forwarded):
            nearer = read_address(hop)
            if nearer is None:  # `unknown`, an obfuscated name, or nonsense: what is left of it proves nothing
                break
            address = nearer
            if not is_trusted(address):
                break
        return str(address)

    def passed_on(peer: str, x_forwarded_for: bytes, forwarded: bytes) -> str:
        return find(peer, x_forwarded_for, forwarded) if x_forwarded_for or forwarded else peer

    return passed_on if networks else lambda peer, _x_forwarded_for, _forwarded: peer


@functools.lru_cache(maxsize=_REMEMBERED)
def truncate(address: str) -> str:
    """`address` cut to its network (/24 or /48), as text; empty if it is no address."""
    read = read_address(address)
    if read is None:
        return ""
    bits = IPV4_KEPT_BITS if read.version == 4 else IPV6_KEPT_BITS
    return str(ip_network((read, bits), strict=False).network_address)


def read_address(text: str) -> Address | None:
    """The address in `text`, which may carry a port, brackets or a zone; an IPv4 one in IPv6 dress is IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _hops(x_forwarded_for: bytes, forwarded: bytes) -> Iterator[str]:
    """The addresses of a chain of proxies, the nearest first."""
    elements = (x_forwarded_for or forwarded).decode("latin-1").split(",")
    for element in elements[: -_MAX_HOPS - 1 : -1]:
        if x_forwarded_for:
            yield element
        else:
            pairs = (pair.partition("=") for pair in element.split(";"))
            yield next((value for name, _, value in pairs if name.strip().lower() == "for"), "")
