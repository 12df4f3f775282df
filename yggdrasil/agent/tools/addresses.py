"""Which addresses a tool may connect to: public ones, and none that only look so."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

PORTS = frozenset({80, 443, 8000, 8080, 8443, 8888})
"""Ports that web servers listen on; on others live mail, databases and remote shells, which HTTP must not reach."""

# What `is_global` of some Python versions lets through (RFC 6890 and its registry), and a cloud's inner service.
_INNER = [
    ip_network(net)
    for net in (
        "0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15",
        "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip
_ORDINARY = ip_network("2000::/3")
# Inside the ordinary ones: Teredo and its neighbours, 6to4, documentation. Each may carry another address within.
_CARRYING = [ip_network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def refusal(address: str) -> str:
    """Why a tool may not connect to `address`; "" when it is public.

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo, ISATAP) is refused, whatever it carries.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "it is no plain IP address"
    if isinstance(found, IPv4Address):
        inner = any(found in net for net in _INNER)
    else:
        inner = found not in _ORDINARY or any(found in net for net in _CARRYING) or _isatap(found)
    for kind in ("unspecified", "loopback", "link_local", "multicast", "private", "reserved"):
        if getattr(found, f"is_{kind}"):
            return f"the address is {kind.replace('_', '-')}, not public"
    return "" if found.is_global and not inner else "the address is not public"


def _isatap(address: IPv6Address) -> bool:
    """RFC 5214: an interface id of 0000:5efe or 0200:5efe, and an IPv4 address after it."""
    return (int(address) >> 32) & 0xFCFFFFFF == 0x00005EFE
