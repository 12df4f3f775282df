"""Which addresses a tool may connect to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yggdrasil.agent.tools.addresses import refusal


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:830::200e"])
def test_public_ones(address: str) -> None:
    assert refusal(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:1.1.1.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::1.1.1.1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "3fff::1",
        "2606:4700::5efe:7f00:1",
        "2606:4700::200:5efe:a00:1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "100::1",
        "5f00::1",
        "",
        "localhost",
        "0x7f.1",
        "2130706433",
        "127.1",
    ],
)
def test_all_others_are_refused(address: str) -> None:
    assert refusal(address)


@given(inner=st.integers(0, 2**32 - 1), form=st.sampled_from(["::ffff:0:0", "::", "64:ff9b::", "2002::", "2001::"]))
def test_no_address_can_carry_another_one(inner: int, form: str) -> None:
    shift = 80 if form == "2002::" else 0
    carried = IPv6Address(int(IPv6Address(form)) | inner << shift)
    assert refusal(str(carried))


@given(number=st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_is_let_through_is_global_in_the_registry(number: IPv4Address | IPv6Address) -> None:
    if not refusal(str(number)):
        assert ip_address(number).is_global
        assert not ip_address(number).is_multicast


@given(text=st.text(max_size=40))
def test_any_text(text: str) -> None:
    assert isinstance(refusal(text), str)
