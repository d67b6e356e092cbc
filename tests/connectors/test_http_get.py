"""Where requests go, over what connections, and what goes along."""

import socket
from dataclasses import replace

import pytest

from connectors.base import ConnectorError, Failure
from connectors.border import Networks
from connectors.http_get import Answer, Call, Client, Limits, Tls, get
from connectors.strict import read
from tests.alerts.channels.smtp_receiver import Certificate
from tests.connectors.faults import ANSWER, fault_server

LIMITS = Limits(timeout=5, budget=10, retries=0, max_bytes=100_000)
QUICK = replace(LIMITS, budget=0.5)
METADATA = "http://169.254.169.254/latest/meta-data/"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def faults():
    with fault_server() as server:
        yield server


def call(url, *allowed, headers=None, **more):
    return Call(url, {}, headers or {}, allowed=read(Networks, list(allowed)), **more)


def failure(one, limits=LIMITS):
    with pytest.raises(ConnectorError) as caught:
        get(one, limits)
    return caught.value


def named(monkeypatch, *answers):
    """Let the name stats.example mean the one of ``answers`` after the other; returns the list of questions."""
    asked, real, left = [], socket.getaddrinfo, list(answers)

    def resolve(host, port, *args, **kwargs):
        if host == "stats.example":
            asked.append(host)
            return real(left.pop(0) if len(left) > 1 else left[0], port, *args, **kwargs)
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


@pytest.mark.parametrize("url", [METADATA, "http://[fe80::1]/", "http://0.0.0.0/", "http://[::ffff:169.254.169.254]/"])
def test_metadata_and_link_local_addresses_are_refused(url):
    error = failure(call(url))
    assert error.reason is Failure.FORBIDDEN_ADDRESS
    assert not error.retryable
    assert "allow" in error.detail


def test_a_redirect_to_metadata_is_refused(faults):
    faults.redirect_to = METADATA
    assert failure(call(faults.url("once"))).reason is Failure.FORBIDDEN_ADDRESS


def test_a_name_that_means_the_machine_itself_is_refused_before_anything_is_sent(faults, monkeypatch):
    named(monkeypatch, "127.0.0.1")
    error = failure(call(faults.url("good").replace("127.0.0.1", "stats.example")))
    assert error.reason is Failure.FORBIDDEN_ADDRESS
    assert "127.0.0.1" in error.detail
    assert faults.connections == 0


def test_a_name_is_looked_up_once_and_its_checked_address_is_connected_to(faults, monkeypatch):
    asked = named(monkeypatch, "127.0.0.1", "169.254.169.254")
    one = call(faults.url("good").replace("127.0.0.1", "stats.example"), "127.0.0.1")
    assert get(one, LIMITS).body == ANSWER
    assert len(asked) == 1
    assert faults.headers[0]["Host"].startswith("stats.example:")
    assert failure(one).reason is Failure.FORBIDDEN_ADDRESS


def test_a_kept_connection_is_checked_against_the_border_of_each_call(monkeypatch):
    named(monkeypatch, "127.0.0.1")
    with fault_server(protocol="HTTP/1.1") as server:
        url = server.url("good").replace("127.0.0.1", "stats.example")
        assert get(call(url, "127.0.0.0/8"), LIMITS).status == 200
        assert failure(call(url)).reason is Failure.FORBIDDEN_ADDRESS
        assert len(server.asked) == 1


def test_a_redirect_from_outside_does_not_lead_inside(faults, monkeypatch):
    """The first host lies outside when asked where it lies; it is only reached here because that is allowed."""
    faults.redirect_to = "http://10.255.255.1/"
    named(monkeypatch, "127.0.0.1", "8.8.8.8")
    error = failure(call(faults.url("once").replace("127.0.0.1", "stats.example"), "127.0.0.1"), QUICK)
    assert error.reason is Failure.FORBIDDEN_ADDRESS
    assert "10.255.255.1" in error.detail


def test_clients_use_a_connection_again():
    with fault_server(protocol="HTTP/1.1") as server:
        for _ in range(3):
            assert get(call(server.url("good")), LIMITS).body == ANSWER
        assert (len(server.asked), server.connections) == (3, 1)


def test_cookies_stay_with_their_client():
    with fault_server() as server:
        with Client(LIMITS) as client:
            client.get(call(server.url("cookie")))
            client.get(call(server.url("good")))
        get(call(server.url("good")), LIMITS)
    assert [headers.get("Cookie") for headers in server.headers] == [None, "session=1", None]


def test_one_size_limit_holds_for_all_answers_of_a_client(faults):
    limits = Limits(timeout=5, budget=5, retries=0, max_bytes=len(ANSWER) * 3)
    with Client(limits) as client:
        for _ in range(3):
            client.get(call(faults.url("good")))
        with pytest.raises(ConnectorError) as caught:
            client.get(call(faults.url("good")))
    assert caught.value.reason is Failure.TOO_LARGE


def test_one_budget_holds_for_all_calls_of_a_client(faults):
    with Client(Limits(timeout=5, budget=1, retries=0, max_bytes=10_000)) as client:
        client.get(call(faults.url("good")))
        with pytest.raises(ConnectorError) as caught:
            client.get(call(faults.url("silent")))
    assert caught.value.reason is Failure.TIMEOUT


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return Certificate.make(tmp_path_factory.mktemp("tls"))


def test_a_certificate_that_nobody_vouches_for_is_a_failure_of_tls(certificate):
    with fault_server(tls=certificate.server()) as server:
        error = failure(call(server.url("good")))
        assert error.reason is Failure.TLS
        assert "ca_file" in error.detail
        assert server.asked == []


def test_a_certificate_can_be_trusted_by_name(certificate):
    with fault_server(tls=certificate.server()) as server:
        assert get(call(server.url("good"), tls=Tls(str(certificate.path))), LIMITS).body == ANSWER
        assert failure(call(server.url("good"))).reason is Failure.TLS  # and for that call alone


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_certificate_is_not_looked_at_where_that_is_spelled_out(certificate):
    with fault_server(tls=certificate.server()) as server:
        assert get(call(server.url("good"), tls=Tls(verify=False)), LIMITS).body == ANSWER


def test_our_own_certificate_is_shown_to_the_first_host_only(certificate):
    context = certificate.server()
    context.load_verify_locations(certificate.path)
    context.verify_mode = context.verify_mode.CERT_OPTIONAL
    tls = Tls(str(certificate.path), (str(certificate.path), str(certificate.key)))
    with fault_server(tls=context) as server, fault_server(tls=context) as other:
        server.redirect_to = other.url("good")
        assert get(call(server.url("once"), tls=tls), LIMITS).body == ANSWER
        assert (server.certificate, other.certificate) == ("127.0.0.1", "")


def test_a_tls_server_that_drips_ends_within_the_budget(certificate):
    with fault_server(tls=certificate.server()) as server:
        error = failure(call(server.url("slow_body"), tls=Tls(str(certificate.path))), QUICK)
    assert error.reason is Failure.TIMEOUT


@pytest.mark.parametrize(
    ("headers", "charset", "seconds"),
    [
        ({"Content-Type": "application/json; charset='gbk'", "Retry-After": "7"}, "gbk", 7.0),
        ({"Content-Type": "application/json", "Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, 0.0),
        ({"Retry-After": "soon"}, None, None),
        ({}, None, None),
    ],
)
def test_what_an_answer_says_of_itself(headers, charset, seconds):
    answer = Answer(200, b"", headers)
    assert (answer.charset, answer.retry_after) == (charset, seconds)
