"""A proxy between a client and a server that does to a request, or its answer, what networks do."""

import gzip
import socket
import threading
import time

from loopback import answer, reset

PAGE = b"<!DOCTYPE html><html><head><title>Log in</title></head><body>who are you?</body></html>"


class FaultyProxy:
    """Forward requests to a server, and do something wrong to those that a test arms it for.

    Parameters
    ----------
    port : int
        Port of the server on this machine.
    """

    def __init__(self, port):
        self.upstream = port
        self.fault = None
        self.seen = []
        self._over = threading.Event()
        self._threads = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._spawn(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(10)
        self._socket.close()
        assert not [thread for thread in self._threads if thread.is_alive()]

    def arm(self, fault, applies=lambda method, path: True):
        """Do `fault` to every request that `applies`, from now on; None stops it."""
        self.seen = []
        self._applies = applies
        self.fault = fault

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            connection, _ = self._socket.accept()
            if self._over.is_set():
                connection.close()
                return
            self._spawn(self._serve, connection)

    def _serve(self, connection):
        with connection:
            connection.settimeout(10)
            try:
                request = _message(connection)
                if request is None:
                    return
                method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ", 2)
                if self.fault is not None and self._applies(method, path):
                    self.seen.append((method, path))
                    self.fault(self, connection, request)
                else:
                    connection.sendall(self.forward(request))
            except OSError:
                pass  # one of both has gone

    def forward(self, request):
        """Return the server's answer to a request."""
        head, _, body = request.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        with socket.create_connection(("127.0.0.1", self.upstream), timeout=20) as server:
            server.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body)
            pieces = []
            while piece := server.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)

    def wait(self, seconds):
        self._over.wait(seconds)


def _message(connection):
    content = b""
    while b"\r\n\r\n" not in content:
        piece = connection.recv(65536)
        if not piece:
            return None
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head + b"\r\n\r\n" + body


def _body(reply):
    return reply.partition(b"\r\n\r\n")[2]


def _kind(reply):
    for line in reply.partition(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"content-type:"):
            return line.split(b":", 1)[1].strip().decode()
    return "text/plain"


# ---------------------------------------------------------------------------------------------- faults


def reset_before(proxy, connection, request):
    reset(connection)


def reset_after(proxy, connection, request):
    proxy.forward(request)
    reset(connection)


def reset_in_answer(proxy, connection, request):
    reply = proxy.forward(request)
    head, _, body = reply.partition(b"\r\n\r\n")
    if body:
        connection.sendall(head + b"\r\n\r\n" + body[: len(body) // 2])
    else:
        connection.sendall(head[: len(head) // 2])
    time.sleep(0.02)
    reset(connection)


def closed_after(proxy, connection, request):
    proxy.forward(request)


def half_closed(proxy, connection, request):
    connection.shutdown(socket.SHUT_WR)
    proxy.wait(0.05)


def silent(proxy, connection, request):
    proxy.wait(5)


def trickled(proxy, connection, request):
    for byte in proxy.forward(request) + b" " * 2000:
        connection.sendall(bytes([byte]))
        proxy.wait(0.05)


def status(code, **headers):
    def fault(proxy, connection, request):
        connection.sendall(answer(code, b"busy", **headers))

    fault.__name__ = f"status_{code}" + ("_wait" if headers else "")
    return fault


def done_then_504(proxy, connection, request):
    proxy.forward(request)
    connection.sendall(answer(504, b"gateway time-out"))


def web_page(proxy, connection, request):
    connection.sendall(answer(200, PAGE, Content_Type="text/html"))


def truncated(proxy, connection, request):
    reply = proxy.forward(request)
    body = _body(reply)
    connection.sendall(answer(200, body[: len(body) * 2 // 3] or b"{", Content_Type=_kind(reply)))


def too_long(proxy, connection, request):
    body = _body(proxy.forward(request))
    connection.sendall(answer(200, body, Content_Length=len(body) + 10))


def too_short(proxy, connection, request):
    reply = proxy.forward(request)
    body = _body(reply) or b"{}"
    connection.sendall(answer(200, body, Content_Length=max(1, len(body) // 2), Content_Type=_kind(reply)))


def doubled(proxy, connection, request):
    reply = proxy.forward(request)
    connection.sendall(reply + reply)


def redirect_here(proxy, connection, request):
    if b"/log-in" in request.split(b"\r\n", 1)[0]:
        connection.sendall(answer(200, PAGE, Content_Type="text/html"))
    else:
        connection.sendall(answer(302, Location="/log-in"))


def redirect_elsewhere(proxy, connection, request):
    if b"/log-in" in request.split(b"\r\n", 1)[0]:
        connection.sendall(answer(200, PAGE, Content_Type="text/html"))
    else:
        connection.sendall(answer(302, Location=f"http://localhost:{proxy.port}/log-in"))


def broken_gzip(proxy, connection, request):
    connection.sendall(answer(200, b"\x1f\x8bgarbage", Content_Encoding="gzip"))


_BOMB = gzip.compress(b" " * (80 * 2**20), 1)


def gzip_bomb(proxy, connection, request):
    connection.sendall(answer(200, _BOMB, Content_Encoding="gzip"))


def huge_header(proxy, connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\nContent-Length: 0\r\n\r\n")


def many_headers(proxy, connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"Content-Length: 0\r\n\r\n")


#: What goes wrong -> whether a server may have done the work all the same.
FAULTS = [
    reset_before, reset_after, reset_in_answer, closed_after, half_closed, silent, trickled,
    status(502), status(503), status(504), status(503, Retry_After="3600"), done_then_504, web_page,
    truncated, too_long, too_short, doubled, redirect_here, redirect_elsewhere, broken_gzip, gzip_bomb,
    huge_header, many_headers,
]  # fmt: skip
