"""The ``renderapi`` command, as a person starts it."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import requests
from PIL import Image

import renderapi
from renderapi import cli, demo, server
from renderapi.demo import montage
from renderapi.errors import RenderError
from renderapi.server.http.process import ServerProcess

COMMAND = [sys.executable, "-W", "error", "-m", "renderapi"]


def environment(tmp_path):
    """Return an environment whose temporary files are all in one folder."""
    return {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}


def start(tmp_path, *arguments):
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
        cwd=tmp_path,
        start_new_session=True,
    )


def url_answers(url):
    try:
        return requests.get(f"{url}/v1/owners", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


class TestArguments:
    def test_version(self, capsys):
        with pytest.raises(SystemExit) as caught:
            cli.main(["--version"])
        assert caught.value.code == 0
        assert capsys.readouterr().out == f"render-python {renderapi.__version__}\n"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nonsense"],
            ["demo", "--sections", "0"],
            ["demo", "--port", "70000"],
            ["serve", "--data", "d", "--max-pixels", "0"],
            ["serve", "--data", "d", "--property", "name"],
            ["serve", "--data", "d", "--property", "=value"],
        ],
    )
    def test_wrong_arguments_show_how_to_call_it(self, arguments, capsys):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
        assert "usage: renderapi" in capsys.readouterr().err

    def test_a_folder_that_is_a_file_is_an_error_of_one_line(self, tmp_path, capsys):
        path = tmp_path / "file"
        path.write_text("")
        assert cli.main(["demo", "--sections", "1", "--keep", str(path)]) == 1
        assert re.fullmatch(r"renderapi demo: .*Not a directory.*\n", capsys.readouterr().err)

    def test_an_error_is_one_line(self, tmp_path, capsys):
        path = tmp_path / "file"
        path.write_text("")
        assert cli.main(["serve", "--data", str(path), "--port", "0"]) == 1
        error = capsys.readouterr().err
        assert error.startswith("renderapi serve: ")
        assert error.count("\n") == 1


class TestDemo:
    @pytest.fixture(autouse=True)
    def _few_pictures(self, monkeypatch):
        monkeypatch.setattr(demo, "MONTAGE_SECTIONS", 1)

    @pytest.mark.slow
    def test_it_follows_the_guide_and_leaves_nothing_behind(self, tmp_path):
        done = subprocess.run(
            [*COMMAND, "demo", "--sections", "1"],
            capture_output=True, text=True, timeout=120, env=environment(tmp_path), cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "201 tiles in 1 layer," in done.stdout
        assert "NO " not in done.stdout
        assert done.stdout.count("  yes ") == 4
        assert re.search(r"tile specs imported +[\d.]+ s +[\d,]+ tile specs/s", done.stdout)
        (picture,) = tmp_path.iterdir()
        assert f"Its picture: {picture}\n" in done.stdout
        with Image.open(picture) as image:
            assert image.size == (montage.WIDTH, montage.HEIGHT)
            assert np.ptp(np.asarray(image.convert("L"))[500:600, 500:600]) > 50

    @pytest.mark.slow
    def test_the_data_can_be_kept_and_a_second_run_starts_over(self, tmp_path, capsys):
        for _ in range(2):
            assert demo.run(sections=1, keep=str(tmp_path / "kept")) == 0
        told = capsys.readouterr().out
        assert "Its picture: " + str(tmp_path / "kept" / demo.PICTURE) in told
        (serve,) = re.findall(r"^  renderapi serve (.*)$", told.rpartition("To look around")[2], re.MULTILINE)
        assert serve.startswith(f"--data {tmp_path / 'kept'} --image-root ")
        with ServerProcess(tmp_path / "kept") as server:
            render = server.connect(owner=demo.OWNER, project=demo.PROJECT)
            assert renderapi.stack.get_stack_metadata(demo.STACK, render=render).stackResolutionX == 3.0

    def test_the_bar_moves_with_every_part_and_without_tqdm_too(self, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setattr(demo, "SECTIONS_AT_ONCE", 1)
        monkeypatch.setattr(demo, "_render_a_montage", lambda *arguments: True)
        monkeypatch.setattr(demo, "_same_tiles", lambda found, sent: False)
        assert demo.run(sections=3) == 1
        shown = capsys.readouterr()
        assert re.findall(r"(\d+) %", shown.err)[-3:] == ["33", "66", "100"]
        assert "601 tiles in 3 layers," in shown.out
        assert "NO  a layer reads back as it was sent" in shown.out

    def test_a_picture_that_cannot_be_saved_is_said(self, tmp_path, capsys):
        demo._save(np.zeros((2, 2), np.uint8), tmp_path / "nowhere" / "a.png")
        assert "cannot be saved" in capsys.readouterr().out

    @pytest.mark.slow
    def test_the_server_can_be_left_running(self, tmp_path):
        with start(tmp_path, "demo", "--sections", "1", "--serve") as process:
            try:
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if "Dashboard:" in line:
                        break
                dashboard = lines[-1].split("Dashboard: ")[1].strip()
                assert dashboard.endswith(
                    "/viewer.html?renderStackOwner=myowner&renderStackProject=myproject&renderStack=montage"
                )
                assert requests.get(dashboard, timeout=5).status_code == 200
                assert process.stdout.readline() == "In another terminal:\n"
                command = process.stdout.readline().split()
                assert command[:3] == ["renderapi", "info", "myowner/myproject/mystack"]
                assert cli.main(command[1:]) == 0
            finally:
                process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        assert not url_answers(dashboard.partition("/view")[0])
        assert [path.name for path in tmp_path.iterdir()] == [demo.PICTURE]

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0])
    def test_interrupted_at_any_moment_it_leaves_nothing_behind(self, tmp_path, number, seconds):
        with start(tmp_path, "demo", "--sections", "200") as process:
            time.sleep(seconds)
            process.send_signal(number)
            output, errors = process.communicate(timeout=60)
        assert process.returncode in (130, -number), errors
        # before the first line Python itself is still starting
        assert "Traceback" not in errors or not output
        assert list(tmp_path.iterdir()) == []
        if match := re.search(r"runs at (http\S+)", output):
            assert not url_answers(match[1])


class TestServe:
    def test_it_answers_until_it_is_stopped_and_keeps_its_data(self, tmp_path):
        for expected in ([], ["me"]):
            with start(tmp_path, "serve", "--data", str(tmp_path / "data"), "--port", "0") as process:
                try:
                    url = process.stdout.readline().split()[2].rstrip(",")
                    assert process.stdout.readline() == f"dashboard at {url}/view/index.html\n"
                    if expected:  # what it had is opened
                        page = process.stdout.readline().split()
                        assert page[:4] == ["newest", "stack", "me/p/s", "at"]
                        assert requests.get(page[4], timeout=5).status_code == 200
                    render = renderapi.connect(url=url, owner="me", project="p", web_only=True)
                    assert renderapi.render.get_owners(render=render) == expected
                    if not expected:
                        renderapi.stack.create_stack("s", render=render)
                    render.close()
                finally:
                    process.send_signal(signal.SIGINT)
                assert process.wait(30) == 0
                assert process.stderr.read() == ""

    def test_its_options_are_those_of_the_server(self, monkeypatch):
        given = []
        monkeypatch.setattr(server, "serve", lambda *args, **options: given.append((args, options)))
        assert cli.main(["serve", "--data", "d"]) == 0
        words = "--image-root a --image-root b --image-http --max-pixels 5 --property x.y=1=2 --property z="
        words += " --compat newsolver --allow-host n.lab --allow-host m.lab --cors-origin https://v.lab"
        assert (
            cli.main(["serve", "--data", "d", "--host", "h", "--port", "1", "--durable", *words.split()]) == 0
        )
        (_, default), (_, options) = given
        assert "max_pixels" not in default
        assert (default["image_roots"], default["image_http"], default["properties"]) == ([], False, {})
        assert options == {
            "host": "h",
            "port": 1,
            "durable": True,
            "image_roots": ["a", "b"],
            "image_http": True,
            "max_pixels": 5,
            "compat": "newsolver",
            "properties": {"x.y": "1=2", "z": ""},
            "allow_hosts": ["n.lab", "m.lab"],
            "cors_origins": ["https://v.lab"],
        }

    @pytest.mark.slow
    def test_without_a_folder_it_keeps_its_data_in_the_current_one_and_says_so(self, tmp_path):
        with start(tmp_path, "serve", "--port", "0") as process:
            try:
                assert process.stdout.readline().endswith(f", data in {tmp_path.resolve() / 'render-data'}\n")
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert [path.name for path in tmp_path.iterdir()] == ["render-data"]

    def test_a_property_that_is_wrong_is_an_error_with_a_reason(self, tmp_path, capsys):
        words = ["--port", "0", "--property", "webService.maxTileSpecsToRender=many"]
        assert cli.main(["serve", "--data", str(tmp_path), *words]) == 1
        assert "webService.maxTileSpecsToRender is 'many'" in capsys.readouterr().err


class TestServerProcess:
    def test_it_serves_opens_images_below_its_roots_and_stops(self, tmp_path):
        images = tmp_path / "images"
        images.mkdir()
        Image.new("L", (10, 10), 7).save(images / "a.png")
        specs = {
            "width": 10,
            "height": 10,
            "tileSpecs": [{"tileId": "t", "mipmapLevels": {"0": {"imageUrl": f"{images}/a.png"}}}],
        }
        with ServerProcess(tmp_path / "data", image_roots=[images], durable=True) as running:
            assert "running" in repr(running)
            with running.connect(owner="me", project="p", web_only=True) as render:
                assert renderapi.render.get_owners(render=render) == []
            answer = requests.put(f"{running.url}/v1/owner/o/png-image", json=specs, timeout=60)
        assert answer.status_code == 200, answer.text
        with Image.open(io.BytesIO(answer.content)) as image:
            assert image.getpixel((5, 5)) == (7, 7, 7, 255)
        running.shutdown()
        assert "stopped" in repr(running)
        assert not url_answers(running.url)

    @pytest.mark.slow
    def test_it_stops_when_its_parent_is_gone(self, tmp_path):
        code = (
            "import os, sys; from renderapi.server.http.process import ServerProcess\n"
            f"server = ServerProcess({str(tmp_path)!r})\n"
            "print(server.url, flush=True); os._exit(9)"
        )
        url = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
        deadline = time.monotonic() + 20
        while url_answers(url) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not url_answers(url)

    def test_one_that_does_not_start_is_gone(self, tmp_path, monkeypatch):
        started = []

        class Recorded(subprocess.Popen):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                started.append(self)

        monkeypatch.setattr(subprocess, "Popen", Recorded)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(RenderError, match=f"did not start: renderapi serve: .*{port}"):
                ServerProcess(tmp_path, port)
        assert [process.returncode for process in started] == [1]


def test_the_tiles_of_the_demonstration_are_those_of_the_guide():
    tiles = demo.section(3)
    assert len(tiles) == 200
    assert tiles[-1].to_dict() == {
        "tileId": "3_9_19",
        "z": 3.0,
        "width": 2048,
        "height": 2048,
        "minIntensity": 0,
        "maxIntensity": 65535,
        "layout": {
            "sectionId": "00003", "temca": "myscope", "camera": "mycamera", "imageRow": 9, "imageCol": 19,
            "stageX": 19 * 2048 * 0.8 * 3.0, "stageY": 9 * 2048 * 0.8 * 3.0, "rotation": 0.0,
            "pixelsize": 3.0,
        },
        "mipmapLevels": {"0": {"imageUrl": "/data/images/3_9_19.tif"}},
        "transforms": {
            "type": "list",
            "specList": [
                {
                    "type": "leaf",
                    "className": "mpicbg.trakem2.transform.AffineModel2D",
                    "dataString": f"1.0 0.0 0.0 1.0 {19 * 2048 * 0.8!r} {9 * 2048 * 0.8!r}",
                }
            ],
        },
    }  # fmt: skip
