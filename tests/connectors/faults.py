"""A local server that fails in every way that servers fail."""

import gzip
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = json.dumps({"rows": [{"period": "2025-10", "value": 3}]}).encode()


class FaultServer:
    """Answers ``/name?...`` as the fault of that name does; counts what it was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.redirect_to = "/loop"
        self.connections = 0
        self.certificate = ""

    def url(self, fault: str) -> str:
        return f"{self.address}/{fault}"


class _Handler(BaseHTTPRequestHandler):
    faults: FaultServer

    def setup(self) -> None:
        super().setup()
        self.faults.connections += 1
        if isinstance(self.connection, ssl.SSLSocket):
            subject = (self.connection.getpeercert() or {}).get("subject", ())
            self.faults.certificate = ",".join(value for ((_, value),) in subject)

    def do_GET(self) -> None:
        name = re.split("[/?]", self.path.strip("/"))[0]
        self.faults.asked.append(self.path)
        self.faults.headers.append(dict(self.headers))
        try:
            answer: Callable[[], None] = getattr(self, f"_{name}")
            answer()
        except OSError:
            self.close_connection = True  # the client has gone, as it should

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _good(self) -> None:
        self._send(200, ANSWER)

    def _cookie(self) -> None:
        self._send(200, ANSWER, Set_Cookie="session=1")

    def _unchanged(self) -> None:
        if self.headers.get("If-None-Match") == '"v1"':
            self._send(304, b"", ETag='"v1"')
        else:
            self._send(200, ANSWER, ETag='"v1"')

    def _unchanged_since(self) -> None:
        monday = "Mon, 20 Oct 2025 01:00:00 GMT"
        if self.headers.get("If-Modified-Since") == monday:
            self._send(304, b"")
        else:
            self._send(200, ANSWER, Last_Modified=monday)

    def _unchanged_of_what(self) -> None:
        self._send(304, b"")

    def _numbers(self) -> None:
        self._send(200, b'{"rows": [{"period": "2025-10", "value": NaN}, {"period": "2025-11", "value": 1e999}]}')

    def _gzipped(self) -> None:
        self._send(200, gzip.compress(ANSWER), Content_Encoding="gzip")

    def _broken_gzip(self) -> None:
        self._send(200, b"this is no gzip at all", Content_Encoding="gzip")

    def _gbk(self) -> None:
        body = json.dumps({"rows": [{"period": "2025年10月", "value": 3}]}, ensure_ascii=False).encode("gbk")
        self._send(200, body, Content_Type="application/json; charset=GBK")

    def _wrong_charset(self) -> None:
        self._send(200, '{"rows": "中文"}'.encode("gbk"), Content_Type="application/json; charset=utf-8")

    def _good_the_third_time(self) -> None:
        self._send(
            *((200, ANSWER) if len(self.faults.asked) > 2 else (503, b"{}")),
            Retry_After="Wed, 21 Oct 2015 07:28:00 GMT",
        )

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _half_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER) * 2))
        self.end_headers()
        self.wfile.write(ANSWER)

    def _silent(self) -> None:
        time.sleep(3)

    def _drip(self, piece: bytes = b" ") -> None:
        for _ in range(100):
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(0.05)

    def _slow_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self._drip()

    def _slow_body_without_length(self) -> None:
        self.send_response(200)
        self.end_headers()
        self._drip()

    def _slow_chunk_size(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._drip(b"0")

    def _slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self._drip(b"x")

    def _unauthorized(self) -> None:
        self._send(401, json.dumps({"message": f"bad key {self.headers.get('Authorization')}"}).encode())

    def _tell_all(self) -> None:
        self._send(401, json.dumps({"message": f"bad request {self.path} {dict(self.headers)}"}).encode())

    def _forbidden(self) -> None:
        self._send(403)

    def _not_found(self) -> None:
        self._send(404)

    def _error(self) -> None:
        self._send(500, b"<html>Internal Server Error</html>")

    def _busy(self) -> None:
        self._send(429, Retry_After="0")

    def _busy_for_long(self) -> None:
        self._send(429, Retry_After="3600")

    def _loop(self) -> None:
        self._send(302, Location=self.faults.redirect_to)

    def _once(self) -> None:
        self._send(302, Location=self.faults.redirect_to)

    def _huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" " * 65536)

    def _bomb(self) -> None:
        self._send(200, gzip.compress(b" " * 10_000_000), Content_Encoding="gzip")

    def _html(self) -> None:
        self._send(200, b"<html>maintenance</html>")

    def _empty(self) -> None:
        self._send(200, b"")

    def _deep(self) -> None:
        self._send(200, b"[" * 100_000)

    def _other_shape(self) -> None:
        self._send(200, b'{"data": {"rows": []}}')

    def _other_rows(self) -> None:
        self._send(200, b'{"rows": [{"when": "2025-10", "value": 3}]}')

    def _scalars(self) -> None:
        self._send(200, b'{"rows": [1, 2]}')


@contextmanager
def fault_server(tls: ssl.SSLContext | None = None, protocol: str = "HTTP/1.0") -> Iterator[FaultServer]:
    """Serve on a free local port until the end of the block; under HTTP/1.1 connections are kept."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    faults = FaultServer(f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = type("Handler", (_Handler,), {"faults": faults, "protocol_version": protocol})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
