"""Which addresses a request may reach."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import ConnectorError, Failure
from connectors.border import Border, Depth, Networks, depth
from connectors.strict import Wrong, read


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("8.8.8.8", Depth.PUBLIC),
        ("2606:4700::1111", Depth.PUBLIC),
        ("10.1.2.3", Depth.PRIVATE),
        ("172.16.0.1", Depth.PRIVATE),
        ("192.168.1.1", Depth.PRIVATE),
        ("100.64.0.1", Depth.PRIVATE),
        ("fd12:3456::1", Depth.PRIVATE),
        ("127.0.0.1", Depth.LOOPBACK),
        ("127.8.9.1", Depth.LOOPBACK),
        ("::1", Depth.LOOPBACK),
        ("::ffff:127.0.0.1", Depth.LOOPBACK),
        ("169.254.169.254", Depth.FORBIDDEN),
        ("169.254.1.1", Depth.FORBIDDEN),
        ("fe80::1", Depth.FORBIDDEN),
        ("::ffff:169.254.169.254", Depth.FORBIDDEN),
        ("64:ff9b::a9fe:a9fe", Depth.FORBIDDEN),
        ("2002:a9fe:a9fe::", Depth.FORBIDDEN),
        ("100.100.100.200", Depth.FORBIDDEN),
        ("168.63.129.16", Depth.FORBIDDEN),
        ("fd00:ec2::254", Depth.FORBIDDEN),
        ("0.0.0.0", Depth.FORBIDDEN),  # noqa: S104
        ("::", Depth.FORBIDDEN),
        ("0.1.2.3", Depth.FORBIDDEN),
        ("224.0.0.1", Depth.FORBIDDEN),
        ("255.255.255.255", Depth.FORBIDDEN),
    ],
)
def test_where_an_address_lies(address, found):
    assert depth(ip_address(address)) is found


@given(st.ip_addresses(v=4))
def test_an_address_in_the_clothes_of_the_other_version_lies_where_it_lay(address):
    assert isinstance(address, IPv4Address)
    assert depth(IPv6Address(f"::ffff:{address}")) is depth(address)
    assert depth(IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))) is depth(address)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "http://localhost/", "http://[::1]/"])
def test_an_author_who_names_the_machine_itself_means_it(url):
    assert Border.around(url, ()).admits(ip_address("127.0.0.1"))


@pytest.mark.parametrize("url", ["http://stats.example/", "http://10.0.0.1/", "http://2130706433/", "http://0x7f.1/"])
def test_what_turns_out_to_be_the_machine_itself_is_refused(url):
    border = Border.around(url, ())
    assert border.admits(ip_address("10.0.0.1"))
    assert not border.admits(ip_address("127.0.0.1"))


@pytest.mark.parametrize("disguise", ["2130706433", "0x7f.1", "0177.0.0.1"])
def test_an_odd_spelling_of_an_address_is_the_address(disguise):
    with pytest.raises(ConnectorError) as caught:
        Border.around(f"http://{disguise}/", ()).addresses(disguise, 80)
    assert caught.value.reason is Failure.FORBIDDEN_ADDRESS
    assert "127.0.0.1" in caught.value.detail


def test_what_is_allowed_is_reached_and_nothing_beside_it():
    border = Border.around("http://stats.example/", read(Networks, ["169.254.169.254", "127.0.0.0/8"]))
    assert border.admits(ip_address("169.254.169.254"))
    assert border.admits(ip_address("127.9.9.9"))
    assert not border.admits(ip_address("169.254.169.253"))


def test_a_redirect_leads_no_further_inside_than_where_it_comes_from():
    border = Border.around("http://whoever.example/", ())
    assert not border.behind("8.8.8.8").admits(ip_address("10.0.0.1"))
    assert border.behind("8.8.8.8").admits(ip_address("9.9.9.9"))
    assert border.behind("10.0.0.2").admits(ip_address("10.0.0.1"))
    assert not border.behind("127.0.0.1").admits(ip_address("127.0.0.1"))
    assert not border.behind("no-such-host.invalid").admits(ip_address("10.0.0.1"))


@pytest.mark.parametrize("written", ["nowhere", "10.0.0.0/99", 5.5])
def test_what_is_no_network_is_told(written):
    with pytest.raises(Wrong, match="看不懂地址段"):
        read(Networks, [written])
