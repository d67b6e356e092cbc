"""Letters by e-mail, as text and HTML, over one kept SMTP connection."""

import base64
import smtplib
import ssl
import threading
import time
from collections.abc import Sequence
from email.headerregistry import Address
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from alerts.channels import base
from alerts.channels.base import Letter
from alerts.channels.mail import addresses, compose
from alerts.delivery import Attempt, Result
from rules.document import Invalid


class Security(StrEnum):
    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_IDLE = 30.0
"""Seconds after which a kept connection is not trusted any more: on the way, it may have been forgotten in silence."""
_REMEMBERED = 10_000
_CLOSING = 421


def _one_address(sender: str) -> str:
    if len(addresses(sender)) != 1:
        raise ValueError(f"'{sender}' 应为一个邮件地址, 如 督办系统 <duban@example.gov.cn>")
    return sender


class EmailOptions(base.Options):
    """``host`` takes the mail; ``port`` follows ``security`` unless said. ``sender`` is ``name <address>`` or an address.

    ``username`` and the password go together. ``timeout`` is in seconds, for
    the whole exchange. Certificates are checked against the system's authorities,
    or those of $SSL_CERT_FILE.
    """

    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    security: Security = Security.STARTTLS
    username: (
        Annotated[str, Meta(pattern=r"^[\x21-\x7e]+$", description="只能含可打印的 ASCII 字符，不含空格")] | None
    ) = None
    password_file: Path | None = None
    password_env: str | None = None
    sender: Annotated[str, _one_address]
    timeout: Annotated[float, Meta(gt=0, le=60)] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.username is None) != (self.password_file is None and self.password_env is None):
            raise ValueError("username 与 password_file（或 password_env）应同时填写 (half a login)")


class Email(base.Channel):
    """Sends to every address of the letter (separated by commas), one message for all of them.

    Message-ID follows from the letter's key: the same for every attempt, so that mail
    systems can drop a repetition. All letters of one alert refer to the same
    message, so that one case is one thread.

    4xx is tried again, 5xx is final; so is an address that is none. Trouble with the
    certificate or the login concerns every letter and is tried again once people
    have mended it. Addresses that took the letter before do not get it again
    with a new attempt for the others, as long as this object lives.
    """

    Options = EmailOptions

    def __init__(self, options: EmailOptions, folder: Path) -> None:
        """Raises Invalid where the password cannot be read, or holds what a login cannot carry."""
        self._options = options
        self._sender = addresses(options.sender)[0]
        self._password = options.secret("password", folder)
        if not self._password.isascii():
            place = options.password_env or folder / str(options.password_file)
            raise Invalid([f"{place}: 口令只能用 ASCII 字符 (not ascii)"])
        self._telling = _spellings(options.username or "", self._password) if self._password else []
        self._smtp: _Connection | None = None
        self._used = 0.0
        self._reached: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def send(self, letters: Sequence[Letter]) -> list[Attempt]:
        return [self._mail(letter) for letter in letters]

    def objection(self, address: str) -> str:
        try:
            return "" if addresses(address) else "没有填写邮件地址 (no address)"
        except ValueError as error:
            return str(error)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _mail(self, letter: Letter) -> Attempt:
        if said := self.objection(letter.address):
            return Attempt(Result.MISCONFIGURED, base.answer(said), permanent=True)
        recipients = addresses(letter.address)
        with self._lock:
            try:
                return self._carry(letter, recipients)
            except (smtplib.SMTPException, OSError) as error:
                self._drop()
                return self._failed(error)
            except BaseException:
                self._drop()  # it may be left in the middle of a letter
                raise

    def _carry(self, letter: Letter, recipients: tuple[Address, ...]) -> Attempt:
        """MAIL, RCPT for each, DATA. Leaves the connection ready for the next letter, or dropped."""
        smtp, reply = self._begin()
        reached = self._reached.get(letter.key, set())
        refused: dict[str, _Reply] = {}
        accepted = []
        if reply.ok:
            for recipient in (address.addr_spec for address in recipients):
                if recipient not in reached:
                    heard = _Reply.of(smtp.rcpt(recipient))
                    if heard.ok:
                        accepted.append(recipient)
                    else:
                        refused[recipient] = heard
        if accepted:
            mail = compose(letter, self._sender, recipients, eight_bit=smtp.has_extn("8bitmime"))
            reply = _Reply.of(smtp.data(mail))
        self._used = time.monotonic()
        if reply.code == _CLOSING or any(heard.code == _CLOSING for heard in refused.values()):
            self._drop()
        elif not accepted or not reply.ok:
            smtp.rset()
        if reply.ok:
            reached = reached | set(accepted)
        return self._outcome(letter.key, reply, reached, refused)

    def _begin(self) -> "tuple[_Connection, _Reply]":
        """A connection, and its answer to MAIL FROM. A kept connection that proves dead is replaced once."""
        deadline = time.monotonic() + self._options.timeout
        if self._smtp is not None and time.monotonic() - self._used < _IDLE:
            self._smtp.deadline = deadline
            try:
                reply = self._smtp.open_letter(self._sender)
            except (smtplib.SMTPServerDisconnected, ConnectionError):
                pass
            else:
                if reply.code != _CLOSING:
                    return self._smtp, reply
        self._drop()
        self._smtp = self._connect(deadline)
        return self._smtp, self._smtp.open_letter(self._sender)

    def _connect(self, deadline: float) -> "_Connection":
        options = self._options
        port = options.port or _PORTS[options.security]
        # The name given in EHLO: the sender's domain costs no question to a name server.
        kind = _TlsConnection if options.security is Security.TLS else _Connection
        smtp = kind(options.host, port, self._sender.domain, deadline)
        try:
            if options.security is Security.STARTTLS:
                smtp.starttls(context=ssl.create_default_context())
            if options.username is not None:
                smtp.login(options.username, self._password)
            smtp.ehlo_or_helo_if_needed()
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    def _outcome(self, key: str, reply: "_Reply", reached: set[str], refused: "dict[str, _Reply]") -> Attempt:
        if reply.ok and not refused:
            self._reached.pop(key, None)
            return Attempt(Result.SENT, base.answer(reply.text, self._telling))
        heard = [*refused.values()] if reply.ok else [reply, *refused.values()]
        again = any(one.temporary for one in heard)
        words = [f"{address} 拒收: {one.text}" for address, one in refused.items()]
        if not reply.ok:
            words.insert(0, reply.text)
        if reached:
            words.append(f"已送达 {', '.join(sorted(reached))}")
        self._reached.pop(key, None)
        if reached:
            self._reached[key] = reached
            if len(self._reached) > _REMEMBERED:
                del self._reached[next(iter(self._reached))]
        result = Result.THROTTLED if again else Result.REJECTED
        return Attempt(result, base.answer("; ".join(words), self._telling), permanent=not again)

    def _failed(self, error: smtplib.SMTPException | OSError) -> Attempt:
        """No answer to the letter itself: trouble with the connection or the login."""
        host = self._options.host
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            return Attempt(Result.TIMEOUT, f"{host}: {self._options.timeout:g} 秒内没有答复")
        if isinstance(error, smtplib.SMTPResponseException):
            reply = _Reply.of((error.smtp_code, _bytes(error.smtp_error)))
            login = isinstance(error, smtplib.SMTPAuthenticationError)
            result = Result.THROTTLED if reply.temporary else Result.MISCONFIGURED if login else Result.REJECTED
            return Attempt(result, base.answer(reply.text, self._telling), permanent=not reply.temporary and not login)
        wrong = isinstance(error, (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError))
        said = base.answer(f"{host}: {type(error).__name__} {error}", self._telling)
        return Attempt(Result.MISCONFIGURED if wrong else Result.UNREACHABLE, said)


class _Reply(NamedTuple):
    """What an SMTP server said to one command."""

    code: int
    text: str

    @staticmethod
    def of(heard: tuple[int, bytes]) -> "_Reply":
        return _Reply(heard[0], f"{heard[0]} {heard[1].decode('utf-8', errors='replace')}")

    @property
    def ok(self) -> bool:
        return 200 <= self.code < 300

    @property
    def temporary(self) -> bool:
        """Whether another try may help; so it may after an answer that makes no sense (-1)."""
        return not self.ok and self.code < 500


class _Connection(smtplib.SMTP):
    """An SMTP connection whose every answer must be there before ``deadline`` (time.monotonic())."""

    def __init__(self, host: str, port: int, name: str, deadline: float, **more: Any) -> None:
        self.deadline = deadline
        self._granted = _left(deadline)
        super().__init__(host, port, local_hostname=name, timeout=self._granted, **more)

    def open_letter(self, sender: Address) -> _Reply:
        """MAIL FROM."""
        return _Reply.of(self.mail(sender.addr_spec, ["BODY=8BITMIME"] if self.has_extn("8bitmime") else []))

    def getreply(self) -> tuple[int, bytes]:
        left = _left(self.deadline)
        if self.sock is not None and abs(left - self._granted) > left / 10:
            # Only when it matters: a call to the system before each answer would cost a tenth of the delivery.
            self.sock.settimeout(left)
            self._granted = left
        return super().getreply()


class _TlsConnection(_Connection, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""

    def __init__(self, host: str, port: int, name: str, deadline: float) -> None:
        super().__init__(host, port, name, deadline, context=ssl.create_default_context())


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _spellings(username: str, password: str) -> list[str]:
    """How the password appears in the protocol; servers may quote what they were told."""
    plain = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    return [plain, base64.b64encode(password.encode()).decode(), password]


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
