"""A server on a real socket that answers as a test wants, however wrong that is."""

import socket
import struct
import threading
from dataclasses import dataclass, field


@dataclass
class Received:
    """One request as it arrived."""

    method: str = ""
    path: str = ""
    headers: dict = field(default_factory=dict)
    body: bytes = b""


def answer(status=200, body=b"", **headers):
    """Return the bytes of a well-formed answer; ``Content_Type="..."`` is the header ``Content-Type``."""
    lines = {"Content-Length": len(body), "Connection": "close"}
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Reason\r\n{head}\r\n".encode("latin-1") + body


def reset(connection):
    """End a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Loopback:
    """Answer the requests that arrive with the steps of a script; the last step is repeated.

    Parameters
    ----------
    *steps : bytes or callable
        What is written to the socket, or a function that is handed it.
    greeting : bytes
        Written as soon as there is a connection.
    """

    def __init__(self, *steps, greeting=b""):
        self.steps = steps
        self.greeting = greeting
        self.received = []
        self.accepted = 0
        self._lock = threading.Lock()
        self._threads = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._spawn(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        with self._lock:
            self._closed = True
        # a connection of our own wakes the accepting thread up
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    _closed = False

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            connection, _ = self._socket.accept()
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self.accepted += 1
            self._spawn(self._serve, connection)

    def _serve(self, connection):
        with connection:
            connection.sendall(self.greeting)
            request = _read(connection)
            if request is None:
                return
            with self._lock:
                step = self.steps[min(len(self.received), len(self.steps) - 1)]
                self.received.append(request)
            try:
                if callable(step):
                    step(connection)
                else:
                    connection.sendall(step)
            except OSError:
                pass  # the client has gone


def _read(connection):
    connection.settimeout(10)
    content = b""
    try:
        while b"\r\n\r\n" not in content:
            piece = connection.recv(65536)
            if not piece:
                return None
            content += piece
        head, _, body = content.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(headers.get("Content-Length", 0)):
            body += connection.recv(65536)
    except OSError:
        return None
    method, path, _ = first.split(" ")
    return Received(method, path, headers, body)


def closed_port():
    """Return a port of this machine where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
