"""A real HTTP server that takes alerts as a careful receiver does, or fails on demand."""

import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """``status``, ``headers`` and ``body`` are the answer; ``delay`` is the pause before it, ``drip`` one before each byte of it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    delay: float = 0
    drip: float = 0
    reset: bool = False
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._gone = threading.Event()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self.host}/钩子?令牌=t0ken"

    def answer(self, request: Request) -> bytes:
        """What is said to a request that was read; those who take it in say so here."""
        return self.body

    def taken(self) -> list[dict]:
        """The payloads accepted, one for each Idempotency-Key."""
        if self.status >= 300:
            return []
        by_key = {request.headers["Idempotency-Key"]: request.body for request in self.requests}
        return [json.loads(body) for body in by_key.values()]

    def pause(self, seconds: float) -> None:
        self._gone.wait(seconds)

    def close(self) -> None:
        if not self._gone.is_set():
            self._gone.set()
            self._server.shutdown()
            self._thread.join()
            self._server.hang_up()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    receiver: HttpReceiver

    def __init__(self, *args) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        self._open.add(request)
        self.receiver.connections += 1
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request, client_address):
        """A client that hung up is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self):
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, dict(self.headers), body)
        receiver.requests.append(request)
        said = receiver.answer(request)
        if receiver.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        receiver.pause(receiver.delay)
        self.send_response(receiver.status)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        if not receiver.drip:
            self.wfile.write(said)
            return
        started = time.monotonic()
        for byte in said:
            self.wfile.flush()
            receiver.pause(receiver.drip)
            self.wfile.write(bytes([byte]))
            if time.monotonic() - started > 10:
                return

    def log_message(self, *_):
        """Quiet."""
