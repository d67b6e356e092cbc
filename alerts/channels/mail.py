"""What an e-mail is made of: addresses, headers that thread a case, a text and an HTML part."""

import base64
import hashlib
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses
from functools import lru_cache

from alerts.channels.base import Letter
from alerts.message import Form, render
from alerts.notice import Notice

_LONGEST_LINE = 998
"""Bytes in one line of a mail, without its end."""
_LONGEST_WORD = 39
"""Bytes in one encoded word of a header: with the header's name, its line stays within 76 characters."""


@lru_cache(maxsize=4096)
def addresses(text: str) -> tuple[Address, ...]:
    """The addresses in ``a@b.cn, 张三 <c@d.cn>``. Raises ValueError for one that is none."""
    if not text.isprintable():
        raise ValueError("邮件地址里有控制字符 (control character in address)")
    found = []
    for name, spec in getaddresses([text.replace("\uff0c", ",")]):
        try:
            address = Address(display_name=name, addr_spec=spec)
        except (ValueError, IndexError, MessageError):
            address = Address()
        if not (address.username and address.domain and spec.isascii()):
            raise ValueError(f"'{spec or text}' 不是可用的邮件地址 (bad address)")
        found.append(address)
    return tuple(found)


def compose(letter: Letter, sender: Address, recipients: tuple[Address, ...], *, eight_bit: bool) -> bytes:
    """The letter as it goes over the wire: multipart/alternative, UTF-8, lines ended by CRLF.

    ``eight_bit`` says that the server takes UTF-8 as it is; others get base64, a third longer.

    The head that does not change is made by EmailMessage once; the rest is
    written here, because EmailMessage needs ten times as long as the delivery.
    """
    title, text = render(letter, Form.TEXT)
    html = render(letter, Form.HTML).body
    case, boundary = message_id(_case(letter.notice), sender), f"duban-{letter.key}"
    head = (
        f"Subject: {_encoded(title)}\r\n"
        f"Date: {format_datetime(letter.sent_at)}\r\n"
        f"Message-ID: {message_id(letter.key, sender)}\r\n"
        f"In-Reply-To: {case}\r\n"
        f"References: {case}\r\n"
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
    )
    plain, rich = _part(boundary, "plain", text, eight_bit), _part(boundary, "html", html, eight_bit)
    return b"".join(
        [
            _letterhead(str(sender), ", ".join(map(str, recipients))),
            head.encode("ascii"),
            plain,
            rich,
            f"--{boundary}--\r\n".encode(),
        ]
    )


def message_id(name: str, sender: Address) -> str:
    """``<name@the sender's domain>``."""
    return f"<{name}@{sender.domain}>"


def _case(notice: Notice) -> str:
    """One name for all that is ever written about one alert; no message bears it."""
    identity = f"{notice.book}\0{notice.target}\0{notice.subject}\0{notice.kind}"
    return f"case-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"


@lru_cache(maxsize=4096)
def _letterhead(sender: str, recipients: str) -> bytes:
    """From, To and what is the same in every letter, ready for more headers."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipients
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["MIME-Version"] = "1.0"
    return message.as_bytes().removesuffix(b"\r\n")


def _encoded(title: str) -> str:
    """A header value of any length as encoded words (RFC 2047), no character split between two."""
    words, chunk = [], b""
    for character in title:
        letter = character.encode()
        if len(chunk) + len(letter) > _LONGEST_WORD:
            words.append(chunk)
            chunk = b""
        chunk += letter
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in [*words, chunk])


def _part(boundary: str, subtype: str, text: str, eight_bit: bool) -> bytes:
    lines = text.encode().splitlines()
    content, encoding = b"\r\n".join([*lines, b""]), "8bit"
    if not eight_bit or max(map(len, lines), default=0) > _LONGEST_LINE:
        content, encoding = base64.encodebytes(content).replace(b"\n", b"\r\n"), "base64"
    head = (
        f"--{boundary}\r\n"
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + content
