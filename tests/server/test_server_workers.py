"""Who answers what at a socket."""

import threading

import pytest
import requests

from renderapi.server import serve_background
from renderapi.server.http.app import SERVICES
from renderapi.server.http.workers import is_image
from renderapi.server.services import images


def test_the_paths_of_images_are_known():
    for service in SERVICES:
        for endpoint in service.endpoints:
            path = endpoint.path.replace("{", "").replace("}", "")
            draws = service in images.services or path.endswith("/matchTrial")
            assert is_image("/render-ws/v1" + path) == draws, path
            assert is_image(path + "/") == is_image(path)


@pytest.mark.parametrize("path", ["", "/", "/render-ws/view/index.html", "/v1/owner/x-image/projects"])
def test_other_paths_are_none(path):
    assert not is_image(path)


def test_documents_do_not_wait_for_images(monkeypatch, caplog):
    drawn, asked = threading.Event(), threading.Event()
    with serve_background() as server:

        def slow(*args):
            asked.set()
            assert drawn.wait(30)
            return b"drawn"

        monkeypatch.setattr(server.app.server.drawing, "draw", slow)
        found = []

        def ask():
            answer = requests.put(f"{server.url}/v1/owner/o/png-image", json={}, timeout=60)
            found.append(answer.content)

        # more than there are threads for images
        threads = [threading.Thread(target=ask) for _ in range(40)]
        for thread in threads:
            thread.start()
        assert asked.wait(30)
        try:
            for _ in range(20):
                assert requests.get(f"{server.url}/v1/owners", timeout=10).json() == []
            assert not found
        finally:
            drawn.set()
        for thread in threads:
            thread.join(60)
    assert found == [b"drawn"] * 40
    # to wait is nothing to warn of: a line for every image would fill the screen
    assert not caplog.records


def test_images_under_way_are_finished_when_the_server_stops(monkeypatch):
    begun = threading.Event()
    with serve_background() as server:
        draw = server.app.server.drawing.draw

        def slow(*args):
            begun.set()
            threading.Event().wait(0.3)
            return draw(*args)

        monkeypatch.setattr(server.app.server.drawing, "draw", slow)
        found = []

        thread = threading.Thread(
            target=lambda: found.append(
                requests.put(f"{server.url}/v1/owner/o/png-image", json={}, timeout=60).status_code
            )
        )
        thread.start()
        assert begun.wait(30)
    thread.join(30)
    assert found == [200]
