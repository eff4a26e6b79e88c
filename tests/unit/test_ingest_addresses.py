"""Addresses: whose a request is behind proxies, and what of it may be kept."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from ingest.addresses import client_address, read_address, truncate
from ingest.geoip import GeoIpError, country_lookup

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")]


@pytest.mark.parametrize(
    ("peer", "x_forwarded_for", "forwarded", "address"),
    [
        ("203.0.113.9", b"", b"", "203.0.113.9"),
        ("203.0.113.9", b"198.51.100.7", b"for=198.51.100.7", "203.0.113.9"),
        ("10.0.0.1", b"", b"", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.7", b"", "198.51.100.7"),
        ("10.0.0.1", b"1.2.3.4, 198.51.100.7, 10.0.0.2", b"", "198.51.100.7"),
        ("10.0.0.1", b"1.2.3.4, 198.51.100.7:4711", b"", "198.51.100.7"),
        ("10.0.0.1", b"10.0.0.3, 10.0.0.2", b"", "10.0.0.3"),
        ("10.0.0.1", b"198.51.100.7, unknown", b"", "10.0.0.1"),
        ("10.0.0.1", b"198.51.100.7, unknown, 10.0.0.2", b"", "10.0.0.2"),
        ("10.0.0.1", b"", b"for=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
        ("10.0.0.1", b"", b'for=1.2.3.4, For="[2001:db8::7]:4711"', "2001:db8::7"),
        ("10.0.0.1", b"", b"for=_hidden", "10.0.0.1"),
        ("2001:db8:ffff::1", b"2001:db8::7", b"", "2001:db8::7"),
        ("::ffff:10.0.0.1", b"198.51.100.7", b"", "198.51.100.7"),
        ("/run/collector.sock", b"198.51.100.7", b"", "/run/collector.sock"),
    ],
)
def test_headers_count_as_far_as_proxies_are_trusted(
    peer: str, x_forwarded_for: bytes, forwarded: bytes, address: str
) -> None:
    assert client_address(PROXIES)(peer, x_forwarded_for, forwarded) == address


def test_without_trusted_proxies_only_the_peer_counts() -> None:
    assert client_address([])("10.0.0.1", b"198.51.100.7", b"for=198.51.100.7") == "10.0.0.1"


@given(claimed=st.lists(st.ip_addresses().map(str), max_size=30), real=st.ip_addresses(v=4))
def test_whatever_a_client_claims_its_own_address_is_found(claimed: list[str], real: object) -> None:
    trusted = [ip_network("10.0.0.0/8")]
    if any(real in network for network in trusted):
        return
    header = ", ".join([*claimed, str(real)]).encode()
    assert client_address(trusted)("10.0.0.1", header, b"") == str(real)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:aaaa:bbbb:cccc::1", "2001:db8:aaaa::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_only_the_network_of_an_address_is_kept(address: str, kept: str) -> None:
    assert truncate(address) == kept


@given(st.ip_addresses())
def test_a_cut_address_no_longer_says_which_client_it_was(address: object) -> None:
    kept = read_address(truncate(str(address)))
    assert kept is not None
    assert int(kept) % 2 ** (8 if kept.version == 4 else 80) == 0


@pytest.fixture
def geoip_file(tmp_path: Path) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-Country")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"country": {"iso_code": "DE"}})
    writer.insert_network(IPSet(["2001:db8::/32"]), {"country_code": "FR"})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"city": {"names": {"en": "Nowhere"}}})
    path = tmp_path / "countries.mmdb"
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize(
    ("address", "country"),
    [("203.0.113.9", "DE"), ("2001:db8::1", "FR"), ("198.51.100.7", ""), ("192.0.2.1", ""), ("nonsense", ""), ("", "")],
)
def test_the_country_of_an_address(geoip_file: Path, address: str, country: str) -> None:
    assert country_lookup(geoip_file)(address) == country


def test_without_a_file_no_country_is_known() -> None:
    assert country_lookup(None)("203.0.113.9") == ""


def test_a_file_that_cannot_be_used_is_named_with_the_fix(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mmdb"
    damaged.write_bytes(b"nothing of the kind")
    for path in (tmp_path / "missing.mmdb", damaged):
        with pytest.raises(GeoIpError, match=rf"{path.name}.*Set privacy\.geoip"):
            country_lookup(path)
