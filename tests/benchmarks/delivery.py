"""Letters a second by e-mail and by web hook: ``python -m tests.benchmarks.delivery --letters 2000``.

Beside each channel a plain loop does the same to the same server on loopback (a process of its own), with words that
are rendered beforehand: ``smtplib`` with an ``EmailMessage`` each, ``requests.Session`` with a JSON each.
"""

import argparse
import asyncio
import multiprocessing
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from multiprocessing.connection import Connection
from pathlib import Path

import requests

from alerts.channels.base import Letter
from alerts.channels.email import Email, EmailOptions, Security
from alerts.channels.webhook import Webhook, WebhookOptions
from alerts.delivery import Result
from alerts.message import Form, render
from tests.alerts.builders import key, letter, pace_notice
from tests.benchmarks.storm import hook

_HOST = "127.0.0.1"
_SENDER = "duban@example.org"


async def _take_mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    answers = {
        b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
        b"DATA": b"354 go on\r\n",
        b"QUIT": b"221 bye\r\n",
    }
    writer.write(b"220 sink\r\n")
    try:
        while line := await reader.readline():
            command = line[:4].upper()
            writer.write(answers.get(command, b"250 ok\r\n"))
            if command == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(told: Connection) -> None:
    async def serving() -> None:
        server = await asyncio.start_server(_take_mail, _HOST, 0, limit=2**20)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serving())


@contextmanager
def post_office() -> Iterator[int]:
    """The port of an SMTP server that takes whatever comes."""
    here, there = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=[there], daemon=True)
    server.start()
    try:
        yield here.recv()
    finally:
        server.terminate()
        server.join()


@dataclass(frozen=True)
class Words:
    """A letter as a plain loop gets it."""

    title: str
    text: str
    html: str


def plain_mail(port: int, words: list[Words]) -> None:
    """What one would write without a channel."""
    with smtplib.SMTP(_HOST, port) as smtp:
        for one in words:
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = _SENDER, "unit@example.org", one.title
            message.set_content(one.text)
            message.add_alternative(one.html, subtype="html")
            smtp.send_message(message)


def plain_posts(address: str, words: list[Words]) -> None:
    """The same for a web hook."""
    with requests.Session() as session:
        for one in words:
            session.post(address, json={"title": one.title, "text": one.text}, timeout=10).raise_for_status()


def _rate(what: Callable[[], object], letters: int, runs: int, heard: Connection) -> float:
    """The best of some runs, in letters a second; what the hook tells of is not left in its way."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        what()
        taken.append(time.perf_counter() - started)
        while heard.poll():
            heard.recv()
    return letters / min(taken)


def _carry(channel: Email | Webhook, letters: list[Letter], at_once: int) -> None:
    for start in range(0, len(letters), at_once):
        attempts = channel.send(letters[start : start + at_once])
        if {attempt.result for attempt in attempts} != {Result.SENT}:
            raise SystemExit(f"not sent: {attempts[0].answer}")


def main() -> None:
    """Each channel after its plain loop, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    at, runs = datetime(2025, 10, 27, 1, tzinfo=UTC), given.runs
    letters = [
        letter(pace_notice(subject=f"县{number:04d}"), key=key(number), address="unit@example.org", sent_at=at)
        for number in range(given.letters)
    ]
    words = [Words(*render(one, Form.TEXT), render(one, Form.HTML).body) for one in letters]
    count = len(letters)
    with post_office() as port, hook() as (address, heard):
        email = Email(EmailOptions(host=_HOST, port=port, security=Security.NONE, sender=_SENDER), Path())
        webhook = Webhook(WebhookOptions(url=address), Path())
        plain = _rate(lambda: plain_mail(port, words), count, runs, heard)
        ours = _rate(lambda: _carry(email, letters, 1), count, runs, heard)
        print(f"e-mail: smtplib {plain:,.0f}/s, the channel {ours:,.0f}/s: {ours / plain:.1f} times", flush=True)
        plain = _rate(lambda: plain_posts(address, words), count, runs, heard)
        alone = _rate(lambda: _carry(webhook, letters, 1), count, runs, heard)
        together = _rate(lambda: _carry(webhook, letters, webhook.at_once), count, runs, heard)
        print(f"web hook: requests {plain:,.0f}/s, the channel {alone:,.0f}/s alone: {alone / plain:.1f} times,")
        print(f"          {together:,.0f}/s together: {together / plain:.1f} times")
        email.close()
        webhook.close()


if __name__ == "__main__":
    main()
