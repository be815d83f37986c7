import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import requests
from embedded import make_tile, wait_until

import renderapi
from renderapi.server import BackgroundServer, ListenError, StoreError, serve, serve_background
from renderapi.server.documents.mapping import to_local
from renderapi.server.http.memory import MemoryAdapter
from renderapi.server.http.running import Listener, is_loopback

TIMEOUT = 20


@pytest.fixture(params=["socket", "memory"])
def running(request):
    with serve_background(transport=request.param) as server, server.session() as session:
        session.stack = f"{server.url}/v1/owner/o/project/p/stack/s"
        session.post(session.stack, json={}, timeout=TIMEOUT).raise_for_status()
        yield server, session


def put(session, *tiles):
    body = {"tileIdToSpecMap": {tile["tileId"]: tile for tile in tiles}}
    answer = session.put(session.stack + "/resolvedTiles", json=body, timeout=TIMEOUT)
    assert answer.status_code == 201, answer.text


def test_requests_arrive(running):
    server, session = running
    tile = make_tile("a/ü b")
    put(session, tile, make_tile("b"))
    answer = session.get(session.stack + "/tile/a%2F%C3%BC%20b", timeout=TIMEOUT)
    assert answer.json() == tile
    assert answer.headers["Content-Type"] == "application/json"
    answer = session.get(
        session.stack + "/tileIds", params={"minZ": 0.5, "matchPattern": "ü"}, timeout=TIMEOUT
    )
    assert answer.json() == ["a/ü b"]
    answer = session.get(session.stack + "/tile/ä", timeout=TIMEOUT)
    assert answer.status_code == 404 and "'ä'" in answer.text
    answer = session.put(session.stack + "/state/COMPLETE", timeout=TIMEOUT)
    assert answer.status_code == 201 and answer.headers["Location"] == session.stack + "/state/COMPLETE"
    answer = session.head(session.stack, timeout=TIMEOUT)
    assert answer.status_code == 200 and answer.content == b""
    answer = session.delete(session.stack, timeout=TIMEOUT)
    assert (answer.status_code, answer.content) == (200, b"")
    assert session.get(server.url + "/view/", timeout=TIMEOUT, allow_redirects=False).status_code == 302


def test_bodies_of_every_kind(running):
    _, session = running
    headers = {"Content-Type": "application/json"}
    for body in (
        '{"versionNotes": "ü"}',
        '{"versionNotes": "ü"}'.encode(),
        iter([b'{"versionNotes"', b': "\xc3\xbc"}']),
    ):
        assert session.post(session.stack, data=body, headers=headers, timeout=TIMEOUT).status_code == 201
        assert session.get(session.stack, timeout=TIMEOUT).json()["currentVersion"] == {"versionNotes": "ü"}


def test_a_body_from_a_file(running, tmp_path):
    _, session = running
    (tmp_path / "body").write_bytes(b'{"versionNotes": "file"}')
    with (tmp_path / "body").open("rb") as body:
        answer = session.post(
            session.stack, data=body, headers={"Content-Type": "application/json"}, timeout=TIMEOUT
        )
    assert answer.status_code == 201


def test_long_answers_arrive_while_they_are_made(running):
    server, session = running
    pairs = [
        {
            "pGroupId": "1",
            "pId": f"{number:05d}",
            "qGroupId": "2",
            "qId": "q",
            "matches": {"p": [[0.5] * 50] * 2, "q": [[0.5] * 50] * 2, "w": [1.0] * 50},
        }
        for number in range(2000)
    ]
    collection = f"{server.url}/v1/owner/o/matchCollection/c"
    assert session.put(collection + "/matches", json=pairs, timeout=TIMEOUT).status_code == 201
    found = session.get(collection + "/pGroup/1/matches", timeout=TIMEOUT)
    assert [pair["pId"] for pair in found.json()] == [pair["pId"] for pair in pairs]
    with session.get(collection + "/pGroup/1/matches", stream=True, timeout=TIMEOUT) as answer:
        assert next(answer.iter_content(100)).startswith(b"[{")
    # and nothing is left hanging
    put(session, make_tile("a"))


def test_many_at_once(running):
    server, session = running
    failures = []

    def work(number):
        with server.session() as own:
            own.stack = session.stack
            for turn in range(10):
                put(own, make_tile(f"{number}-{turn}"))
                if own.get(f"{own.stack}/tile/{number}-{turn}", timeout=TIMEOUT).status_code != 200:
                    failures.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert len(session.get(session.stack + "/tileIds", timeout=TIMEOUT).json()) == 80


def test_large_bodies_are_refused():
    for transport in ("socket", "memory"):
        with serve_background(transport=transport, max_body=1000) as server, server.session() as session:
            url = f"{server.url}/v1/owner/o/project/p/stack/s"
            answer = session.post(url, json={"versionNotes": "x" * 2000}, timeout=TIMEOUT)
            assert answer.status_code == 413
            assert "1000" in answer.text
            assert session.post(url, json={}, timeout=TIMEOUT).status_code == 201


def test_nothing_is_left_after_shutdown(tmp_path):
    before = set(threading.enumerate())
    server = serve_background(tmp_path)
    assert isinstance(server, BackgroundServer) and "running" in repr(server)
    with server.session() as session:
        assert session.get(server.url + "/v1/owners", timeout=TIMEOUT).json() == []
        server.shutdown()
        server.shutdown()
        assert set(threading.enumerate()) == before
        assert "stopped" in repr(server)
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url + "/v1/owners", timeout=TIMEOUT)
    # the port is free again, and so is the folder
    port = int(server.url.rpartition(":")[2].partition("/")[0])
    with serve_background(tmp_path, port) as again:
        assert again.url == server.url


def test_requests_under_way_are_finished(tmp_path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    server = serve_background(tmp_path)
    real = server.app.view_functions["StackMetaDataService.1.owners"]

    def slow():
        begun.set()
        go_on.wait(TIMEOUT)
        return real()

    monkeypatch.setitem(server.app.view_functions, "StackMetaDataService.1.owners", slow)
    answers = []
    request = threading.Thread(
        target=lambda: answers.append(requests.get(server.url + "/v1/owners", timeout=TIMEOUT).json())
    )
    request.start()
    assert begun.wait(TIMEOUT)
    stopping = threading.Thread(target=server.shutdown)
    stopping.start()
    time.sleep(0.05)
    assert stopping.is_alive()
    go_on.set()
    stopping.join(TIMEOUT)
    request.join(TIMEOUT)
    assert answers == [[]]


def test_data_stay_in_a_folder(tmp_path):
    for expected in ([], ["o"]):
        with serve_background(tmp_path) as server:
            assert requests.get(server.url + "/v1/owners", timeout=TIMEOUT).json() == expected
            requests.post(server.url + "/v1/owner/o/project/p/stack/s", json={}, timeout=TIMEOUT)


def test_addresses_that_cannot_be_used(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ListenError, match=r"cannot listen at 127\.0\.0\.1 port"):
            serve_background(port=taken.getsockname()[1])
    with pytest.raises(ListenError, match=r"cannot listen at 203\.0\.113\.1"):
        serve_background(host="203.0.113.1")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        serve_background(tmp_path / "file")
    with pytest.raises(ValueError, match="transport is 'pigeon'"):
        serve_background(transport="pigeon")


def test_a_folder_of_images_that_is_none_is_told(tmp_path, capsys):
    (tmp_path / "file").touch()
    with serve_background(image_roots=[tmp_path, tmp_path / "file", tmp_path / "typo"]):
        told = capsys.readouterr().err.splitlines()
    assert told == [
        f"Warning: the image root {tmp_path / name} is no folder, so no image can be read from it."
        for name in ("file", "typo")
    ]


def test_others_are_told_that_they_can_reach_it(capsys):
    with serve_background(host="0.0.0.0") as server:
        assert "every machine that reaches this one can read, change and delete" in capsys.readouterr().err
        assert server.url.startswith("http://127.0.0.1:")
    with serve_background(host="localhost"):
        assert capsys.readouterr().err == ""
    assert [
        is_loopback(host) for host in ("localhost", "127.1.2.3", "::1", "0.0.0.0", "::", "host.name")
    ] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_address_of_version_6():
    try:
        server = serve_background(host="::1")
    except ListenError:
        pytest.skip("no IPv6 address here")
    with server:
        assert server.url.startswith("http://[::1]:")
        assert requests.get(server.url + "/v1/owners", timeout=TIMEOUT).json() == []


def test_stopping_before_running():
    with serve_background(transport="memory") as server:
        listener = Listener(server.app)
        listener.stop()
        listener.run()
        assert listener.url.endswith("/render-ws")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])
def test_serving_until_interrupted(tmp_path, number, ignored):
    # a shell starts its background jobs with SIGINT ignored
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); " if ignored else ""
    program += f"from renderapi.server import serve; serve({str(tmp_path)!r}, port=0)"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        line = process.stdout.readline()
        url = re.fullmatch(r"render-ws at (\S+), data in (.*)\n", line)[1]
        assert process.stdout.readline() == f"dashboard at {url}/view/index.html\n"
        assert (
            requests.post(url + "/v1/owner/o/project/p/stack/s", json={}, timeout=TIMEOUT).status_code == 201
        )
        process.send_signal(number)
        output, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("transport", ["socket", "memory"])
def test_connections_of_the_client(transport):
    with serve_background(transport=transport) as server:
        with server.connect("o", "p") as render:
            assert (render.DEFAULT_OWNER, render.DEFAULT_PROJECT) == ("o", "p")
            renderapi.stack.create_stack("s", render=render)
            assert renderapi.render.get_stacks_by_owner_project(render=render) == ["s"]
            tile = renderapi.tilespec.TileSpec(json=make_tile("a/b"))
            renderapi.client.import_tilespecs("s", [tile], render=render)
            assert renderapi.tilespec.get_tile_spec_raw("s", "a/b", render=render).tileId == "a/b"
        with server.session() as session, server.connect("o", "p", session=session) as render:
            assert renderapi.render.get_owners(render=render) == ["o"]


def test_serving_in_this_process(tmp_path, monkeypatch, capsys):
    def interrupted(listener):
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = list(map(signal.getsignal, numbers))
    interval = sys.getswitchinterval()
    real = Listener.run

    def run(listener):
        monkeypatch.setattr("renderapi.server.http.running.wasyncore.loop", lambda **_: interrupted(listener))
        real(listener)

    monkeypatch.setattr(Listener, "run", run)
    serve(tmp_path, port=0)
    assert re.fullmatch(
        r"render-ws at (http://127\.0\.0\.1:\d+/render-ws), data in .*\ndashboard at \1/view/index.html\n",
        capsys.readouterr().out,
    )
    assert list(map(signal.getsignal, numbers)) == before
    assert sys.getswitchinterval() == interval
    # a thread has no signals, and need not have any
    thread = threading.Thread(target=serve, args=(tmp_path, "127.0.0.1", 0))
    thread.start()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_a_folder_that_is_served_can_be_told_to_stop(tmp_path, monkeypatch):
    handlers = []
    monkeypatch.setattr(
        "renderapi.server.http.running.signal.signal", lambda number, handler: handlers.append(handler)
    )

    def run(listener):
        handlers[0](signal.SIGTERM, None)
        listener_run(listener)

    listener_run = Listener.run
    monkeypatch.setattr(Listener, "run", run)
    serve(tmp_path, port=0)
    assert handlers[2:] == [None, None]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_at_any_moment_of_the_loop_and_nothing_is_left_open(tmp_path, number):
    program = (
        "import os, socket, threading, time, renderapi\n"
        "from renderapi.server import serve\n"
        "from renderapi.server.http.running import Listener\n"
        "run = Listener.run\n"
        "def busy(listener):\n"
        "    def clients():\n"
        "        try:\n"
        "            while True:\n"
        "                socket.create_connection((listener.host, listener.port), 1).close()\n"
        "        except OSError:\n"
        "            pass\n"
        "    thread = threading.Thread(target=clients)\n"
        "    thread.start()\n"
        f"    threading.Timer(0.2, os.kill, (os.getpid(), {int(number)})).start()\n"
        "    run(listener)\n"
        "    thread.join()\n"
        "Listener.run = busy\n"
        f"for _ in range(5):\n    serve({str(tmp_path)!r}, port=0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_begins_to_listen_is_not_lost(tmp_path, number, monkeypatch, capsys):
    class Slow(Listener):
        def __init__(self, *args):
            signal.raise_signal(number)
            super().__init__(*args)

    monkeypatch.setattr("renderapi.server.http.running.Listener", Slow)
    serve(tmp_path, port=0)
    assert "render-ws at" in capsys.readouterr().out


def test_what_comes_before_it_listens_can_be_interrupted(tmp_path, monkeypatch):
    def interrupted(*args):
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it was not interrupted")

    monkeypatch.setattr("renderapi.server.http.running.create_app", lambda *args, **options: interrupted())
    with pytest.raises(KeyboardInterrupt):
        serve(tmp_path, port=0)


def test_answers_are_read_in_pieces():
    closed = []

    class Parts:
        def __iter__(self):
            yield b"abc"
            yield b""
            yield b"defgh"

        def close(self):
            closed.append(True)

    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Parts()

    with requests.Session() as session:
        session.mount("http://memory", MemoryAdapter(application))
        with session.get("http://memory/", stream=True) as answer:
            assert answer.raw.readable()
            assert [answer.raw.read(2) for _ in range(6)] == [b"ab", b"cd", b"ef", b"gh", b"", b""]
        assert closed == [True]
        assert session.get("http://memory").content == b"abcdefgh"


def test_after_the_end_there_is_no_answer_to_hope_for():
    with serve_background(transport="memory") as server:
        pass
    with server.session() as session:
        answer = session.get(server.url + "/v1/owners")
    assert (answer.status_code, answer.text) == (503, "the store is closed")


PROGRAMS = {
    "serve": "from renderapi.server import serve; serve({!r}, port=0)",
    "command": "from renderapi.cli import main; main(['serve', '--port', '0', '--data', {!r}])",
    "demo": "from renderapi.cli import main; main(['demo', '--sections', '1', '--keep', {!r}, '--serve'])",
    "process": (
        "import time; from renderapi.server.http.process import ServerProcess\n"
        "with ServerProcess({!r}) as server:\n    print(server.url, flush=True)\n    time.sleep(600)\n"
    ),
    "background": (
        "import time; from renderapi.server import serve_background\n"
        "with serve_background({!r}) as server:\n    print(server.url, flush=True)\n    time.sleep(600)\n"
    ),
}
# what is a program of its user's, which may ignore a signal as its shell says
LIBRARY = ("process", "background")
SLEEP = """
import time
from renderapi.server import stacks
from renderapi.server.endpoints.declaring import json_of

@stacks.service.get("/sleep")
def sleep(server):
    time.sleep(60)
    return json_of(1)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=[pytest.mark.slow] * (way == "demo")) for way in PROGRAMS]
)
def test_signals_end_it_where_sigint_is_ignored_and_a_request_never_ends(tmp_path, number, way):
    data = tmp_path / "data"
    # every process that is started has an endpoint that does not answer
    (tmp_path / "sitecustomize.py").write_text(SLEEP)
    command = [sys.executable, "-c", PROGRAMS[way].format(str(data))]
    if way not in LIBRARY:
        command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    with process:
        lines = iter(process.stdout.readline, "")
        url = next(found[0] for line in lines if (found := re.search(r"http://[^ ,/]+/render-ws", line)))
        if way == "demo":
            assert any("keeps running" in line for line in lines)
        assert (
            requests.post(url + "/v1/owner/o/project/p/stack/s", json={}, timeout=TIMEOUT).status_code == 201
        )
        address = url.split("/")[2].split(":")
        with socket.create_connection(address) as client:
            client.sendall(b"GET /render-ws/v1/sleep HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(0.5)
            begun = time.monotonic()
            process.send_signal(number)
            process.wait(TIMEOUT)
            wait_until(lambda: is_refused(address))
            assert time.monotonic() - begun < 5
    with serve_background(data) as server:
        assert "o" in requests.get(server.url + "/v1/owners", timeout=TIMEOUT).json()


def is_refused(address):
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return True
    return False


def test_slow_headers_are_cut_and_silent_clients_too(monkeypatch):
    monkeypatch.setattr("renderapi.server.http.running.HEADER_SECONDS", 0.5)
    with serve_background() as server, requests.Session() as session:
        address = ("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        # kept alive, and silent from here
        assert session.get(server.url + "/v1/owners", timeout=TIMEOUT).json() == []
        pool = session.get_adapter(server.url)
        with socket.create_connection(address) as silent, socket.create_connection(address) as slow:
            silent.settimeout(TIMEOUT)
            slow.settimeout(0.1)
            slow.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(TIMEOUT * 10):
                try:
                    slow.sendall(b"X-A: b\r\n")
                    if slow.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
            else:
                pytest.fail("the headers went on for ever")
            assert silent.recv(1) == b""
        assert session.get(server.url + "/v1/owners", timeout=TIMEOUT).json() == []
        assert pool is session.get_adapter(server.url)


def test_slow_bodies_are_cut(monkeypatch):
    monkeypatch.setattr("renderapi.server.http.running.HEADER_SECONDS", 0.5)
    head = (
        b"POST /render-ws/v1/owner/o/project/p/stack/s HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    )
    with serve_background() as server:
        address = ("127.0.0.1", int(server.url.split(":")[2].split("/")[0]))
        with socket.create_connection(address) as fast, socket.create_connection(address) as slow:
            slow.settimeout(0.1)
            fast.settimeout(TIMEOUT)
            fast.sendall(head + b" " * 4000)
            slow.sendall(head)
            for sent in range(TIMEOUT * 10):
                try:
                    slow.sendall(b" ")
                    if slow.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
            assert sent < 100
            # 4 kB are good for some seconds
            fast.sendall(b" " * 998 + b"{}")
            assert fast.recv(20).startswith(b"HTTP/1.1 201")


def test_small_requests_do_not_wait_for_large_bodies(monkeypatch):
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slow(*values, **more):
        begun.release()
        go_on.wait(TIMEOUT)
        return []

    monkeypatch.setattr("renderapi.server.services.coordinates._items", slow)
    with serve_background() as server:
        path = server.url + "/v1/owner/o/project/p/stack/s/z/1/world-to-local-coordinates"
        body = [{"world": [1.0, 2.0]}] * 5000
        threads = [
            threading.Thread(target=lambda: requests.put(path, json=body, timeout=TIMEOUT)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        try:
            assert all(begun.acquire(timeout=TIMEOUT) for _ in range(4))
            assert requests.get(server.url + "/v1/owners", timeout=TIMEOUT / 2).json() == []
        finally:
            go_on.set()
        for thread in threads:
            thread.join(TIMEOUT)


def test_work_for_a_client_that_is_gone_stops(monkeypatch, caplog):
    begun, slices = threading.Event(), []

    def slow(*values):
        begun.set()
        slices.append(time.sleep(0.02))
        return to_local(*values)

    monkeypatch.setattr("renderapi.server.services.coordinates.to_local", slow)
    monkeypatch.setattr("renderapi.server.endpoints.turns.by_slices.__defaults__", (10,))
    caplog.set_level("INFO", "renderapi.server")
    with serve_background() as server:
        stack = server.url + "/v1/owner/o/project/p/stack/s"
        requests.post(stack, json={}, timeout=TIMEOUT).raise_for_status()
        body = {"tileIdToSpecMap": {"t": make_tile("t")}}
        requests.put(stack + "/resolvedTiles", json=body, timeout=TIMEOUT).raise_for_status()
        content = json.dumps([{"world": [1.0, 2.0]}] * 10_000).encode()
        head = (
            "PUT /render-ws/v1/owner/o/project/p/stack/s/z/1/world-to-local-coordinates HTTP/1.1\r\n"
            f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        with socket.create_connection((server._listener.host, server._listener.port)) as client:
            client.sendall(head.encode() + content)
            assert begun.wait(TIMEOUT)
        wait_until(lambda: any("499 the client is gone" in message for message in caplog.messages))
        assert len(slices) < 900
        assert requests.get(server.url + "/v1/owners", timeout=TIMEOUT).json() == ["o"]
