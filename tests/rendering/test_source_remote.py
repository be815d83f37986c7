"""Images fetched from elsewhere."""

import gzip
import io
import re
import socket
import sys
import threading
import time

import fsspec
import numpy as np
import pytest
from loopback import Loopback, answer, closed_port, reset
from PIL import Image

from renderapi.rendering import ImageReference, ImageSourceError, Sources

GRAY = np.random.default_rng(2).integers(0, 256, (24, 37), dtype=np.uint8)


def png(pixels=GRAY):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PNG = png()


@pytest.fixture
def sources():
    with Sources(connect_timeout=5, download_timeout=5) as made:
        yield made


def refused(sources, url, **options):
    with pytest.raises(ImageSourceError) as caught:
        sources.image(ImageReference(url), **options)
    message = str(caught.value)
    assert message.startswith("failed to retrieve {url: ")
    return message.partition("} from cache: ")[2]


def test_an_image_over_http(sources):
    with Loopback(answer(200, PNG)) as server:
        place = ImageReference(f"{server.url}/a.png?x=1")
        assert np.array_equal(sources.image(place), GRAY)
        assert sources.image(place, halvings=1).shape == (12, 18)
        assert sources.mask(place).dtype == np.uint8
        assert len(server.received) == 1
        assert server.received[0].path == "/a.png?x=1"
        sources.clear()
        sources.image(place)
        assert len(server.received) == 2


def test_a_stack_over_http(sources):
    file = io.BytesIO()
    Image.fromarray(GRAY).save(file, "TIFF", save_all=True, append_images=[Image.fromarray(255 - GRAY)])
    with Loopback(answer(200, file.getvalue())) as server:
        place = ImageReference(f"{server.url}/a.tif", "IMAGEJ_TIFF_STACK", 2)
        assert np.array_equal(sources.image(place), 255 - GRAY)


def test_where_folders_are_limited_nothing_is_fetched(tmp_path):
    with Loopback(answer(200, PNG)) as server:
        for options in ({"http": False}, {"roots": [tmp_path]}, {"roots": []}):
            sources = Sources(**options)
            assert refused(sources, f"{server.url}/a.png") == (
                "images are not fetched from elsewhere here (http is off)"
            )
            assert refused(sources, "s3://bucket/a.png").endswith("(http is off)")
            assert not sources.exists(ImageReference(f"{server.url}/a.png"))
        assert not server.received
        with Sources(roots=[], http=True) as sources:
            assert np.array_equal(sources.image(ImageReference(f"{server.url}/a.png")), GRAY)


@pytest.mark.parametrize("status", [404, 403, 500])
def test_an_answer_that_is_an_error(status, sources):
    with Loopback(answer(status, b"no such thing" * 1000)) as server:
        assert refused(sources, f"{server.url}/a.png") == f"the server answered {status}"


def test_an_error_that_never_ends(sources):
    def endless(connection):
        connection.sendall(b"HTTP/1.1 404 No\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with Loopback(endless) as server:
        assert refused(sources, f"{server.url}/a.png") == "the server answered 404"


def test_an_answer_that_is_no_image(sources):
    with Loopback(answer(200, b"<html>log in</html>")) as server:
        assert refused(sources, f"{server.url}/a.png").startswith("it is neither PNG nor JPEG")


def test_nobody_there(sources):
    assert "it cannot be fetched" in refused(sources, f"http://127.0.0.1:{closed_port()}/a.png")
    for url in ("http://", "http:///a.png", "http://[/a.png", "http://127.0.0.1:99999/a.png", "https:a"):
        assert "it cannot be fetched" in refused(sources, url)
        assert not sources.exists(ImageReference(url))


def test_errors_show_no_password(sources):
    with pytest.raises(ImageSourceError) as caught:
        sources.image(
            ImageReference(f"http://anna:hunter2@127.0.0.1:{closed_port()}/a.png?X-Amz-Signature=abc12345")
        )
    error = caught.value
    while error is not None:
        assert not re.search("hunter2|abc12345", f"{error!r} {error.__dict__}"), error
        error = None if error.__suppress_context__ else error.__context__


def test_an_answer_that_breaks_off(sources):
    def broken(connection):
        connection.sendall(answer(200, PNG)[:-20])
        reset(connection)

    with Loopback(broken) as server:
        assert "it cannot be fetched" in refused(sources, f"{server.url}/a.png")
    with Loopback(answer(200, PNG)[:-20]) as server:
        assert "it cannot be fetched" in refused(sources, f"{server.url}/a.png")


# ---------------------------------------------------------------------------------- limits


def test_a_file_that_says_it_is_too_large():
    with Loopback(answer(200, PNG)) as server, Sources(max_download=len(PNG) - 1) as sources:
        assert refused(sources, f"{server.url}/a.png") == (
            f"its file is larger than the {len(PNG) - 1} bytes that are fetched"
        )
    with Loopback(answer(200, PNG)) as server, Sources(max_download=len(PNG)) as sources:
        assert np.array_equal(sources.image(ImageReference(f"{server.url}/a.png")), GRAY)


def test_a_file_that_does_not_say_how_large_it_is():
    sent = []

    def endless(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    with Loopback(endless) as server, Sources(max_download=1 << 20) as sources:
        assert "its file is larger than the 1048576 bytes" in refused(sources, f"{server.url}/a.png")
    assert sum(sent) < 32 << 20


def test_a_file_that_grows_when_it_is_unpacked():
    packed = gzip.compress(bytes(50_000_000))
    with (
        Loopback(answer(200, packed, Content_Encoding="gzip")) as server,
        Sources(max_download=1 << 20) as sources,
    ):
        assert "its file is larger than the 1048576 bytes" in refused(sources, f"{server.url}/a.png")


def test_a_size_that_is_too_large_once_decoded(sources):
    with Loopback(answer(200, PNG)) as server, Sources(max_pixels=10) as small:
        assert "are more than the 10 allowed" in refused(small, f"{server.url}/a.png")


@pytest.mark.parametrize("pause", [0.05, 20], ids=["drips", "stops"])
def test_a_file_that_arrives_too_slowly(pause):
    stop = threading.Event()

    def slow(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + PNG[:30])
        while not stop.wait(pause):
            connection.sendall(b"x")

    with Sources(download_timeout=0.5) as sources, Loopback(slow) as server:
        began = time.monotonic()
        message = refused(sources, f"{server.url}/a.png")
        took = time.monotonic() - began
        stop.set()
    assert message == "it did not arrive within 0.5 seconds"
    assert took < 3


def test_an_answer_that_does_not_begin():
    with Sources(download_timeout=0.3) as sources, Loopback(lambda connection: time.sleep(1.5)) as server:
        began = time.monotonic()
        assert "it" in refused(sources, f"{server.url}/a.png")
        assert time.monotonic() - began < 1.4


def test_no_threads_and_sockets_are_left(sources):
    before = set(threading.enumerate())
    with Loopback(answer(200, PNG)) as server:
        sources.image(ImageReference(f"{server.url}/a.png"))
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(5)
    assert [thread for thread in left if thread.is_alive()] == []


# ---------------------------------------------------------------------------------- redirects


def test_redirects_are_followed(sources):
    with Loopback(answer(302, b"elsewhere" * 10_000, Location="/b/c.png"), answer(200, PNG)) as server:
        assert np.array_equal(sources.image(ImageReference(f"{server.url}/a.png")), GRAY)
        assert [request.path for request in server.received] == ["/a.png", "/b/c.png"]


def test_a_password_does_not_follow_a_redirect(sources):
    with Loopback(answer(200, PNG)) as other:
        target = other.url.replace("127.0.0.1", "localhost")
        with Loopback(answer(302, b"", Location=f"{target}/b.png")) as server:
            url = server.url.replace("http://", "http://anna:hunter2@")
            sources.image(ImageReference(f"{url}/a.png"))
            assert "Authorization" in server.received[0].headers
        assert "Authorization" not in other.received[0].headers


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://host/a", "s3://bucket/a", "//"])
def test_redirects_to_other_schemes_are_not_followed(target, sources):
    with Loopback(answer(302, b"", Location=target)) as server:
        assert "it cannot be fetched" in refused(sources, f"{server.url}/a.png")
        assert not sources.exists(ImageReference(f"{server.url}/a.png"))


def test_redirects_that_never_end(sources):
    with Loopback(answer(302, b"", Location="/a.png")) as server:
        assert "it cannot be fetched" in refused(sources, f"{server.url}/a.png")
        assert len(server.received) == 6


def test_a_redirect_from_https_to_http_is_not_followed(monkeypatch):
    from renderapi.rendering import _remote

    class Answer:
        is_redirect, status_code, headers = True, 302, {"Location": "http://host/a.png"}

        def close(self):
            pass

    monkeypatch.setattr(_remote.transport.RenderSession, "request", lambda self, *args, **options: Answer())
    with Sources() as sources:
        assert "it cannot be fetched" in refused(sources, "https://host/a.png")


def test_exists_over_http(sources):
    def found(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n")

    with Loopback(found, answer(404)) as server:
        there, missing = (ImageReference(f"{server.url}/{name}.png") for name in "ab")
        assert sources.exists(there) and sources.exists(there)
        assert not sources.exists(missing)
        assert [request.method for request in server.received] == ["HEAD", "HEAD"]


# ---------------------------------------------------------------------------------- S3


class Bucket:
    """As much of fsspec's S3 file system as is used."""

    def __init__(self):
        self.objects = {"s3://bucket/a.png": PNG}
        self.options = None

    def info(self, url):
        if url not in self.objects:
            raise FileNotFoundError(url)
        return {"size": len(self.objects[url])}

    def cat_file(self, url, end):
        return self.objects[url][:end]

    def exists(self, url):
        return url in self.objects


@pytest.fixture
def bucket(monkeypatch):
    """Stand in for S3."""
    stand_in = Bucket()

    def filesystem(protocol, **options):
        assert protocol == "s3"
        stand_in.options = options
        return stand_in

    monkeypatch.setattr(fsspec, "filesystem", filesystem)
    return stand_in


def test_an_image_in_s3(bucket, sources):
    place = ImageReference("s3://bucket/a.png")
    assert np.array_equal(sources.image(place), GRAY)
    assert sources.exists(place) and not sources.exists(ImageReference("s3://bucket/b.png"))
    assert bucket.options["config_kwargs"]["connect_timeout"] == 5
    assert refused(sources, "s3://bucket/b.png") == "there is no such object"


def test_an_object_that_is_too_large(bucket):
    with Sources(max_download=10) as sources:
        assert (
            refused(sources, "s3://bucket/a.png") == "its file is larger than the 10 bytes that are fetched"
        )


def test_an_object_that_changes_while_it_is_read(bucket, sources, monkeypatch):
    monkeypatch.setattr(Bucket, "cat_file", lambda self, url, end: PNG[:-1])
    assert refused(sources, "s3://bucket/a.png") == "it is cut off"


def test_errors_of_s3(bucket, sources, monkeypatch):
    def forbidden(self, url):
        raise RuntimeError("Forbidden: https://bucket.s3.amazonaws.com/a.png?X-Amz-Signature=abc123")

    monkeypatch.setattr(Bucket, "info", forbidden)
    message = refused(sources, "s3://bucket/a.png")
    assert message.startswith("it cannot be fetched (RuntimeError") and "abc123" not in message
    monkeypatch.setattr(Bucket, "exists", forbidden)
    assert not sources.exists(ImageReference("s3://bucket/a.png"))


@pytest.mark.parametrize("module", ["fsspec", "s3fs"])
def test_s3_needs_fsspec_and_s3fs(module, sources, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    if module == "s3fs":

        def without(protocol, **options):
            raise ImportError("Install s3fs to access S3")

        monkeypatch.setattr(fsspec, "filesystem", without)
    assert refused(sources, "s3://bucket/a.png") == (
        'images in S3 are read with fsspec and s3fs: pip install "render-python[sources]>=3"'
    )
    assert not sources.exists(ImageReference("s3://bucket/a.png"))


def test_the_guard_of_the_tests_holds():
    with pytest.raises(OSError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
