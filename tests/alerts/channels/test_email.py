import threading
import time
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest

from alerts.channels import email as email_channel
from alerts.channels.email import Email
from alerts.channels.mail import addresses
from alerts.delivery import Result
from connectors.strict import Wrong, read
from rules.document import Invalid
from tests.alerts.builders import KEY, data_notice, key, letter, pace_notice, send
from tests.alerts.channels.contract import SECRET, TIMEOUT, ChannelContract
from tests.alerts.channels.smtp_receiver import USER, Certificate, SmtpReceiver

PASSWORD = "s3cret-Password-1"
TO = "rsj@example.cn"


def mailer(server, folder, **options):
    given = {"host": "127.0.0.1", "port": server.port, "security": server.security, "timeout": TIMEOUT}
    given |= {"sender": "督办系统 <duban@example.gov.cn>"}
    if server.password:
        (folder / "password").write_text(server.password + "\n")
        given |= {"username": USER, "password_file": "password"}
    return Email(read(Email.Options, {**given, **options}), folder)


def parts(mail):
    """Subject, text and HTML of a mail as a reader sees them."""
    text, html = (part.get_content() for part in mail.iter_parts())
    return mail["Subject"], text.replace("\r\n", "\n"), html.replace("\r\n", "\n")


class EmailReceiver:
    address = f"{TO}, ddb@example.cn"

    def __init__(self, server, folder, **options):
        self.server = server
        self.channel = mailer(server, folder, **options)

    def letters(self):
        return ["\n".join(parts(mail)) for mail in self.server.taken()]

    def refuse(self):
        self.server.replies["DATA"] = f"451 {self.server.password} 稍后再试 " * 20

    def recover(self):
        self.server.replies.clear()

    def vanish(self):
        self.server.close()

    def stall(self):
        self.server.delays["DATA"] = 5


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


class TestEmail(ChannelContract):
    """Plain SMTP with a login."""

    @pytest.fixture
    def receiver(self, tmp_path):
        server = SmtpReceiver(password=SECRET)
        receiver = EmailReceiver(server, tmp_path)
        yield receiver
        receiver.channel.close()
        server.close()


class TestEmailOverStarttls(ChannelContract):
    @pytest.fixture
    def receiver(self, tmp_path, certificate, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        server = SmtpReceiver(security="starttls", certificate=certificate, password=SECRET)
        receiver = EmailReceiver(server, tmp_path, timeout=TIMEOUT)
        yield receiver
        receiver.channel.close()
        server.close()


class TestEmailOverTls(ChannelContract):
    @pytest.fixture
    def receiver(self, tmp_path, certificate, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
        server = SmtpReceiver(security="tls", certificate=certificate)
        receiver = EmailReceiver(server, tmp_path)
        yield receiver
        receiver.channel.close()
        server.close()


@pytest.fixture
def server():
    server = SmtpReceiver()
    yield server
    server.close()


@pytest.fixture
def channel(server, tmp_path):
    channel = mailer(server, tmp_path)
    yield channel
    channel.close()


def test_a_mail_has_text_and_html_and_no_defects(server, channel):
    send(channel, letter(address=TO))
    (mail,) = server.mails
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in mail.iter_parts()] == ["utf-8", "utf-8"]
    assert [*mail.defects, *(defect for part in mail.walk() for defect in part.defects)] == []
    assert [header for header in mail.values() if header.defects] == []
    subject, text, html = parts(mail)
    assert subject == "【红色预警】〔演示数据〕城镇新增就业\uff08人力社保局\uff09"
    assert text.startswith("〔演示数据〕截至2025年9月")
    assert html.startswith("<!DOCTYPE html>")


def test_no_line_on_the_wire_is_longer_than_mail_allows(server, channel):
    many = ", ".join(f"u{n}@example.cn" for n in range(40))
    send(channel, letter(pace_notice(name="很长的指标名称" * 40), address=many))
    (mail,) = server.mails
    assert mail["Subject"].count("很长的指标名称") == 40
    assert "很长的指标名称" * 40 in parts(mail)[1]
    assert max(map(len, server.wire[0].split(b"\r\n"))) <= 998
    head, _, _ = server.wire[0].partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(("eight_bit", "encoding"), [(True, "8bit"), (False, "base64")])
def test_a_server_that_takes_seven_bits_only_gets_base64(tmp_path, eight_bit, encoding):
    server = SmtpReceiver(eight_bit=eight_bit)
    channel = mailer(server, tmp_path)
    assert send(channel, letter(address=TO)).result is Result.SENT
    channel.close()
    server.close()
    (mail,) = server.mails
    assert {part["Content-Transfer-Encoding"] for part in mail.iter_parts()} == {encoding}
    assert server.wire[0].isascii() is not eight_bit
    assert parts(mail)[1].startswith("〔演示数据〕截至2025年9月")


def test_the_head_names_sender_receivers_and_an_automatic_origin(server, channel):
    send(channel, letter(address="人力社保局 <rsj@example.cn>\uff0cddb@example.cn"))
    (mail,) = server.mails
    assert mail["From"] == "督办系统 <duban@example.gov.cn>"
    assert mail["To"] == "人力社保局 <rsj@example.cn>, ddb@example.cn"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(mail["Date"]) == datetime.fromisoformat("2025-10-27T09:00:05+08:00")
    assert server.envelopes == [("duban@example.gov.cn", ["rsj@example.cn", "ddb@example.cn"])]


def test_message_id_follows_from_the_key_alone(server, channel):
    send(channel, letter(address=TO))
    send(channel, letter(address=TO, sent_at=datetime.fromisoformat("2025-10-27T10:00:00+08:00")))
    assert [mail["Message-ID"] for mail in server.mails] == [f"<{KEY}@example.gov.cn>"] * 2


def test_all_letters_of_one_alert_are_one_thread(server, channel):
    for number, notice in enumerate([pace_notice(), pace_notice("resolved"), data_notice(), pace_notice(subject="县")]):
        send(channel, letter(notice, key=key(number), address=TO))
    fired, resolved, owed, county = (mail["References"] for mail in server.mails)
    assert fired == resolved
    assert len({fired, owed, county}) == 3
    assert all(mail["In-Reply-To"] == mail["References"] for mail in server.mails)


def test_one_connection_carries_many_letters(server, channel):
    for number in range(30):
        assert send(channel, letter(key=key(number), address=TO)).result is Result.SENT
    assert len(server.mails) == 30
    assert server.connections == 1


def test_a_connection_that_died_meanwhile_is_replaced(server, channel):
    assert send(channel, letter(key=key(1), address=TO)).result is Result.SENT
    server.hang_ups.append("MAIL")
    assert send(channel, letter(key=key(2), address=TO)).result is Result.SENT
    assert (len(server.mails), server.connections) == (2, 2)


def test_a_server_that_ends_the_session_gets_a_new_one(server, channel):
    send(channel, letter(key=key(1), address=TO))
    server.hang_ups.append("TAKEN")
    send(channel, letter(key=key(2), address=TO))
    assert send(channel, letter(key=key(3), address=TO)).result is Result.SENT
    assert {mail["Message-ID"] for mail in server.mails} == {f"<{key(n)}@example.gov.cn>" for n in (1, 2, 3)}


def test_a_connection_idle_for_long_is_not_trusted(server, channel, monkeypatch):
    monkeypatch.setattr(email_channel, "_IDLE", 0.0)
    send(channel, letter(key=key(1), address=TO))
    send(channel, letter(key=key(2), address=TO))
    assert (len(server.mails), server.connections) == (2, 2)


def test_a_loss_after_the_mail_was_taken_is_tried_again_under_the_same_message_id(server, channel):
    server.hang_ups.append("TAKEN")
    attempt = send(channel, letter(address=TO))
    assert (attempt.result, attempt.permanent) == (Result.UNREACHABLE, False)
    assert send(channel, letter(address=TO)).result is Result.SENT
    assert len(server.mails) == 2
    assert len(server.taken()) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "result", "permanent"),
    [
        ("421 closing", Result.THROTTLED, False),
        ("450 greylisted", Result.THROTTLED, False),
        ("452 full", Result.THROTTLED, False),
        ("550 no", Result.REJECTED, True),
        ("554 spam", Result.REJECTED, True),
    ],
)
def test_4xx_is_tried_again_and_5xx_is_final(server, channel, command, reply, result, permanent):
    server.replies[command] = reply
    attempt = send(channel, letter(address=TO))
    assert (attempt.result, attempt.permanent) == (result, permanent)
    assert reply in attempt.answer
    server.replies.clear()
    assert send(channel, letter(address=TO)).result is Result.SENT
    assert server.connections <= 2


def test_an_address_refused_for_good_is_reported_and_the_others_get_the_letter(server, channel):
    server.replies["weg@example.cn"] = "550 没有此人"
    attempt = send(channel, letter(address=f"{TO}, weg@example.cn"))
    assert (attempt.result, attempt.permanent) == (Result.REJECTED, True)
    assert attempt.answer == f"weg@example.cn 拒收: 550 没有此人; 已送达 {TO}"
    assert server.envelopes == [("duban@example.gov.cn", [TO])]
    server.replies.clear()  # the mailbox exists by now, and somebody has the dead letter tried again
    assert send(channel, letter(address=f"{TO}, weg@example.cn")).result is Result.SENT
    assert [receivers for _, receivers in server.envelopes] == [[TO], ["weg@example.cn"]]


def test_a_new_attempt_goes_only_to_those_who_put_it_off(server, channel):
    server.replies["spaeter@example.cn"] = "451 later"
    attempt = send(channel, letter(address=f"{TO}, spaeter@example.cn"))
    assert (attempt.result, attempt.permanent) == (Result.THROTTLED, False)
    server.replies.clear()
    assert send(channel, letter(address=f"{TO}, spaeter@example.cn")).result is Result.SENT
    assert [receivers for _, receivers in server.envelopes] == [[TO], ["spaeter@example.cn"]]


@pytest.mark.parametrize(
    "address", ["", " , ", "人力社保局", "a@", "@b.cn", "a b@c.cn", "a@b.cn, x", "张@例子.cn", "a@b.cn\r\nBcc: x@y.cn"]
)
def test_an_address_that_is_none_is_final_and_nothing_is_sent(server, channel, address):
    attempt = send(channel, letter(address=address))
    assert (attempt.result, attempt.permanent) == (Result.MISCONFIGURED, True)
    assert attempt.answer
    assert server.connections == 0


def test_a_slow_answer_to_every_command_still_ends_within_the_timeout(server, channel):
    server.delays = {"MAIL": TIMEOUT / 2, "RCPT": TIMEOUT / 2, "DATA": TIMEOUT / 2}
    started = time.monotonic()
    attempt = send(channel, letter(address=TO))
    assert attempt.result is Result.TIMEOUT
    assert time.monotonic() - started < TIMEOUT * 2


def test_a_wrong_password_waits_for_people_to_mend_it(tmp_path):
    server = SmtpReceiver(password=PASSWORD)
    channel = mailer(server, tmp_path)
    server.password = "another"
    attempt = send(channel, letter(address=TO))
    assert (attempt.result, attempt.permanent) == (Result.MISCONFIGURED, False)
    assert attempt.answer.startswith("535")
    server.password = PASSWORD
    assert send(channel, letter(address=TO)).result is Result.SENT
    channel.close()
    server.close()


def test_a_password_is_not_sent_over_a_connection_that_should_be_encrypted_and_is_not(server, tmp_path):
    channel = mailer(server, tmp_path, security="starttls")
    attempt = send(channel, letter(address=TO))
    assert (attempt.result, attempt.permanent) == (Result.MISCONFIGURED, False)
    assert "STARTTLS" in attempt.answer
    assert server.mails == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_nobody_vouches_for_is_not_accepted(tmp_path, certificate, security):
    server = SmtpReceiver(security=security, certificate=certificate)
    channel = mailer(server, tmp_path, timeout=5)
    attempt = send(channel, letter(address=TO))
    channel.close()
    server.close()
    assert (attempt.result, attempt.permanent) == (Result.MISCONFIGURED, False)
    assert "CERTIFICATE_VERIFY_FAILED" in attempt.answer
    assert server.mails == []


def test_letters_sent_side_by_side_share_the_connection(server, tmp_path):
    channel = mailer(server, tmp_path, timeout=10)

    def several(first):
        for number in range(10):
            send(channel, letter(key=key(first + number), address=TO))

    threads = [threading.Thread(target=several, args=(first,)) for first in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    channel.close()
    assert (len(server.taken()), server.connections) == (40, 1)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_the_security(security, port):
    options = Email.Options(host="h", security=security, sender="a@b.cn")
    assert email_channel._PORTS[options.security] == port


@pytest.mark.parametrize(
    "options",
    [
        {"host": ""},
        {"sender": "督办"},
        {"sender": "a@b.cn, c@d.cn"},
        {"username": "duban"},
        {"password_file": "password"},
        {"username": "duban", "password_file": "password", "password_env": "PASSWORD"},
        {"security": "ssl"},
        {"port": 0},
        {"timeout": 0},
        {"password": "written here"},
    ],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(Wrong):
        read(Email.Options, {"host": "mail.example.cn", "sender": "a@b.cn", **options})


def test_starttls_is_the_default():
    assert Email.Options(host="h", sender="a@b.cn").security == "starttls"


def test_a_password_that_cannot_be_read_is_said_with_its_place(tmp_path):
    options = Email.Options(host="h", sender="a@b.cn", username="u", password_file="nowhere")
    with pytest.raises(Invalid, match="无法读取 password_file"):
        Email(options, tmp_path)


def test_a_password_that_no_login_can_carry_is_said_at_once(tmp_path):
    (tmp_path / "password").write_text("口令", encoding="utf-8")
    options = Email.Options(host="h", sender="a@b.cn", username="u", password_file="password")
    with pytest.raises(Invalid, match="ASCII"):
        Email(options, tmp_path)


def test_a_password_comes_from_the_environment_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("DUBAN_MAIL_PASSWORD", SECRET)
    server = SmtpReceiver(password=SECRET)
    options = {"username": USER, "password_env": "DUBAN_MAIL_PASSWORD", "password_file": None}
    channel = mailer(server, tmp_path, **options)
    assert send(channel, letter(address=TO)).result is Result.SENT
    channel.close()
    server.close()


def test_addresses_keep_their_names():
    assert [str(address) for address in addresses("张三 <a@b.cn>, c@d.cn")] == ["张三 <a@b.cn>", "c@d.cn"]
