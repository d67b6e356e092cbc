"""A real SMTP server that takes mail as a careful receiver does, or fails on demand; and certificates for it."""

import asyncio
import email
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER = "duban"


@dataclass
class SmtpReceiver:
    """``replies`` are answers to MAIL, RCPT (by address, or "RCPT" for all), DATA in place of the usual ones.

    A number in ``delays`` is the pause before the answer to that command; a
    command in ``hang_ups`` loses the connection, once each.
    """

    security: str = "none"
    password: str = ""
    certificate: "Certificate | None" = None
    replies: dict[str, str] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    hang_ups: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)
    eight_bit: bool = True
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        tls = self.certificate.server() if self.certificate and self.security == "tls" else None
        serving = self._loop.create_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self._server = self._loop.run_until_complete(serving)
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _serve(self) -> SMTP:
        """One connection."""
        self.connections += 1
        options = {}
        if self.certificate and self.security == "starttls":
            options = {"tls_context": self.certificate.server(), "require_starttls": True}
        if self.password:
            options |= {"authenticator": self.authenticate, "auth_require_tls": self.security == "starttls"}
        return SMTP(self, hostname="mail.test", enable_SMTPUTF8=True, loop=self._loop, **options)

    def taken(self) -> list[EmailMessage]:
        """The mails accepted, one for each Message-ID."""
        return list({mail["Message-ID"]: mail for mail in self.mails}.values())

    def close(self) -> None:
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _shut(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close in the next round of the loop

    async def _answer(self, server: SMTP, *names: str) -> str | None:
        for name in names:
            if name in self.hang_ups:
                self.hang_ups.remove(name)
                server.transport.abort()
                return "421 gone"
            if name in self.delays:
                await asyncio.sleep(self.delays[name])
            if name in self.replies:
                return self.replies[name]
        return None

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [line for line in responses if self.eight_bit or "8BITMIME" not in line]

    async def handle_MAIL(self, server, session, envelope, address, options):
        reply = await self._answer(server, "MAIL")
        if reply is None:
            envelope.mail_from = address
        return reply or "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = await self._answer(server, address, "RCPT")
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if reply := await self._answer(server, "DATA"):
            return reply
        self.mails.append(email.message_from_bytes(envelope.original_content, policy=default))
        self.wire.append(envelope.original_content)
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos))
        await self._answer(server, "TAKEN")
        return "250 已收"

    def authenticate(self, server, session, envelope, mechanism, login) -> AuthResult:
        right = isinstance(login, LoginPassword) and login.login == USER.encode()
        right = right and login.password == self.password.encode()
        return AuthResult(success=right, handled=False)


@dataclass(frozen=True)
class Certificate:
    """A certificate of 127.0.0.1 that vouches for itself, and its key."""

    path: Path
    key: Path

    @staticmethod
    def make(folder: Path) -> "Certificate":
        made = Certificate(folder / "cert.pem", folder / "key.pem")
        request = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
        )
        files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.path]
        subprocess.run([*request.split(), *files], check=True, capture_output=True)
        return made

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self.key)
        return context
