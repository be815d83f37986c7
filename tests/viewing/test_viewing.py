"""Stacks in Neuroglancer: what its pages are given, and what they show."""

import shutil
import subprocess
import sys
import time
from io import BytesIO

import numpy as np
import pytest
import requests
from PIL import Image

import renderapi
from renderapi import cli, viewing
from renderapi.errors import NotFoundError, RenderWarning, ServerError
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec
from renderapi.transform import AffineModel

LENS = AffineModel(B0=100.0, labels=["lens"])


def tile(name, z, x, y, **more):
    place = AffineModel(B0=x, B1=y)
    more |= {"width": 600, "height": 400, "minint": 0, "maxint": 255}
    return TileSpec(tileId=name, z=z, sectionId=f"{z}", tforms=[place], **more)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return a server with stacks of two tiles in section 3, and one in each of some others."""
    folder = tmp_path_factory.mktemp("images")
    halves = np.where(np.arange(600) < 300, 40, 200).astype(np.uint8)
    Image.fromarray(np.tile(halves, (400, 1))).save(folder / "halves.png")
    with serve_background(image_roots=[folder]) as running:
        render = running.connect(owner="me", project="p", web_only=True)
        url = f"file:{folder / 'halves.png'}"
        tiles = [
            tile("a", 3.0, -700, -31, imageUrl=url),
            tile("b", 3.0, -150, 0, imageUrl=url),
            tile("c", 4.0, -700, 0, imageUrl=url),
            tile("d", 7.0, -700, 0, imageUrl=url),
        ]
        sizes = dict(zip(("stackResolutionX", "stackResolutionY", "stackResolutionZ"), (4.0, 4.0, 35.0)))
        for name, more in (("first", sizes), ("second", sizes), ("bare", {})):
            renderapi.stack.create_stack(name, render=render, **more)
            renderapi.client.import_tilespecs(name, tiles, render=render)
            renderapi.stack.set_stack_state(name, "COMPLETE", render=render)
        renderapi.stack.create_stack("loading", render=render)
        lens = tile("l", 1.0, 0, 0)
        lens.tforms.insert(0, LENS)
        renderapi.stack.create_stack("fractions", render=render)
        renderapi.client.import_tilespecs("fractions", [lens, tile("m", 1.5, 0, 0)], render=render)
        renderapi.stack.set_stack_state("fractions", "COMPLETE", render=render)
        two = {"p": [[590, 580], [10, 20]], "q": [[40, 30], [0, 1]], "w": [1, 1]}
        renderapi.pointmatch.import_matches(
            "pairs",
            [
                {"pGroupId": "3.0", "pId": "a", "qGroupId": "3.0", "qId": "b", "matches": two},
                {"pGroupId": "3.0", "pId": "a", "qGroupId": "4.0", "qId": "c", "matches": two},
                {"pGroupId": "3.0", "pId": "a", "qGroupId": "4.0", "qId": "gone", "matches": two},
                {"pGroupId": "3.0", "pId": "a", "qGroupId": "99.0", "qId": "far", "matches": two},
                {"pGroupId": "1.0", "pId": "l", "qGroupId": "1.0", "qId": "l2", "matches": two},
            ],
            render=render,
        )
        yield running


@pytest.fixture
def render(server):
    with server.connect(owner="me", project="p", web_only=True) as connection:
        yield connection


def sources(page):
    """Return the addresses of what the layers of a page show, by their names."""
    return {
        layer["name"]: layer["source"]["url"].removeprefix("precomputed://")
        for layer in page.viewer.state.to_json()["layers"]
    }


def lines(content):
    """Read lines as Neuroglancer's format says: a count, their ends, their ids."""
    (count,) = np.frombuffer(content[:8], "<u8")
    ends = np.frombuffer(content[8 : 8 + 24 * int(count)], "<f4").reshape(-1, 2, 3)
    ids = np.frombuffer(content[8 + 24 * int(count) :], "<u8")
    assert len(ids) == len(set(ids.tolist())) == count
    return ends


class TestImages:
    def test_every_part_of_a_page_is_what_the_server_draws_at_its_scale(self, render):
        with renderapi.view("first", render=render) as page:
            source = sources(page)["first"]
            info = requests.get(f"{source}/info").json()
            assert [scale["resolution"] for scale in info["scales"]] == [[4, 4, 35], [8, 8, 35], [16, 16, 35]]
            for level, scale in enumerate(info["scales"]):
                low, size = scale["voxel_offset"], scale["size"]
                x0, y0 = low[:2]
                x1, y1 = (min(low[axis] + size[axis], low[axis] + 512) for axis in (0, 1))
                part = requests.get(f"{source}/{scale['key']}/{x0}-{x1}_{y0}-{y1}_3-4")
                shown = np.frombuffer(part.content, np.uint8).reshape(y1 - y0, x1 - x0)
                box = (x0 * 2**level, y0 * 2**level, (x1 - x0) * 2**level, (y1 - y0) * 2**level)
                drawn = renderapi.image.get_bb_image(
                    "first", 3, *box, scale=0.5**level, gray=True, render=render
                )
                assert np.array_equal(shown, drawn)
                assert {40, 200} <= set(np.unique(shown).tolist())

    @pytest.mark.parametrize(
        "path",
        [
            "0/-700--188_-31-400_5-6",  # no section
            "0/-700--188_-31-400_3-5",  # two planes at once
            "0/-700-450_-31-400_3-4",  # larger than a part may be
            "0/-9000--8900_0-100_3-4",
            "9/0-1_0-1_3-4",
            "0/../../info",
            "x/0-1_0-1_3-4",
        ],
    )
    def test_what_is_not_there_is_not_found_and_not_asked_for(self, render, path):
        with renderapi.view("first", render=render) as page:
            assert requests.get(f"{sources(page)['first']}/{path}").status_code == 404

    def test_a_server_that_refuses_is_quoted(self, render, caplog):
        with renderapi.view("first", channel="DAPI", render=render) as page:
            source = sources(page)["first"]
            renderapi.viewing._volumes.get_bb_image, keep = refused, renderapi.viewing._volumes.get_bb_image
            try:
                answer = requests.get(f"{source}/0/-700--188_-31-400_3-4")
            finally:
                renderapi.viewing._volumes.get_bb_image = keep
        assert (answer.status_code, answer.text) == (500, "no memory")
        assert "no memory" in caplog.text


def refused(*arguments, **keywords):
    assert keywords["channel"] == "DAPI"
    raise ServerError("no memory")


class TestLines:
    def test_outlines_are_where_the_transforms_put_the_tiles(self, render):
        with renderapi.view("first", render=render) as page:
            source = sources(page)["first: tiles"]
            info = requests.get(f"{source}/info").json()
            assert info["annotation_type"] == "LINE"
            assert info["spatial"][0]["grid_shape"] == [1, 1, 5]
            assert info["lower_bound"] == [-700, -31, 3]
            ends = lines(requests.get(f"{source}/sections/0_0_0").content)
            assert lines(requests.get(f"{source}/sections/0_0_2").content).size == 0
            assert requests.get(f"{source}/sections/0_0_x").status_code == 404
        corners = {(-700, -31), (-100, -31), (-100, 369), (-700, 369)}
        corners |= {(-150, 0), (450, 0), (450, 400), (-150, 400)}
        assert corners <= {tuple(point) for point in ends[..., :2].reshape(-1, 2).tolist()}
        assert len(ends) == 2 * 8
        assert set(ends[..., 2].ravel().tolist()) == {3.5}

    def test_matches_lie_between_where_both_tiles_put_them(self, render):
        with renderapi.view("first", matches="pairs", outlines=False, render=render) as page:
            ends = lines(requests.get(f"{sources(page)['first: pairs']}/sections/0_0_0").content)
        within = [[[-110, -21, 3.5], [-110, 0, 3.5]], [[-120, -11, 3.5], [-120, 1, 3.5]]]
        across = [[[-110, -21, 3.5], [-660, 0, 4.5]], [[-120, -11, 3.5], [-670, 1, 4.5]]]
        assert ends.tolist() == within + across

    def test_of_too_many_matches_some_are_left_out_everywhere(self, render, monkeypatch):
        monkeypatch.setattr(viewing._volumes, "MOST_MATCHES", 4)
        with renderapi.view("first", matches="pairs", render=render) as page:
            ends = lines(requests.get(f"{sources(page)['first: pairs']}/sections/0_0_0").content)
        assert ends[:, 0, :2].tolist() == [[-110, -21], [-110, -21]]


class TestPage:
    def test_it_begins_in_the_middle_and_knows_nm(self, render):
        with renderapi.view("first", render=render) as page:
            state = page.viewer.state.to_json()
        assert state["position"] == [-125, 184.5, 4.5]
        assert [size for size, _ in state["dimensions"].values()] == pytest.approx([4e-9, 4e-9, 35e-9])
        assert state["layout"] == "xy"

    def test_without_resolution_there_are_pixels_only(self, render):
        with renderapi.view("bare", "first", layout="blended", position=(1, 2, 3.7), render=render) as page:
            state = page.viewer.state.to_json()
            info = requests.get(f"{sources(page)['first: tiles']}/info").json()
        pixels = {"x": [1, ""], "y": [1, ""], "z": [1, ""]}
        assert state["dimensions"] == info["dimensions"] == pixels
        assert all(layer["source"]["transform"]["outputDimensions"] == pixels for layer in state["layers"])
        assert state["position"] == [1, 2, 3.5]
        assert ["vec3(1, 0, 1)" in layer["shader"] for layer in state["layers"]][::2] == [True, False]

    def test_two_stacks_are_side_by_side(self, render):
        with renderapi.view("first", "first", matches="pairs", beside_render=render, render=render) as page:
            panels = page.viewer.state.to_json()["layout"]["children"]
        assert [panel["layers"] for panel in panels] == [
            ["first", "first: tiles", "first: pairs"],
            ["first (2)", "first (2): tiles", "first (2): pairs"],
        ]

    def test_it_is_there_until_it_is_closed(self, render):
        page = renderapi.view("first", render=render)
        assert requests.get(page.url).status_code == 200
        assert requests.get(page.url.replace("/v/", "/v/0")).status_code == 404
        assert f'src="{page.url}"' in page._repr_html_()
        page.close()
        page.close()
        assert "closed" in repr(page)
        assert "iframe" not in page._repr_html_()
        with pytest.raises(requests.ConnectionError):
            requests.get(page.url)

    def test_sections_that_share_a_plane_are_warned_of(self, render):
        with pytest.warns(RenderWarning, match=r"1 sections of fractions are not shown.*z 1\.5"):
            renderapi.view("fractions", render=render).close()

    def test_what_cannot_be_shown_is_an_error_and_leaves_nothing_behind(self, render):
        with pytest.raises(NotFoundError):
            renderapi.view("nothing", render=render)
        with pytest.raises(NotFoundError, match="gone"):
            renderapi.view("first", matches="gone", render=render)
        with pytest.raises(renderapi.errors.RenderError):
            renderapi.view("loading", render=render)
        with pytest.raises(ValueError, match="'side by side' or 'blended'"):
            renderapi.view("first", layout="mixed", render=render)
        with renderapi.view("first", render=render) as page, pytest.raises(OSError):
            port = int(page.url.split(":")[2].partition("/")[0])
            renderapi.view("first", page_port=port, render=render)

    def test_without_neuroglancer_it_says_how_to_get_it_and_what_does_without(self, render, monkeypatch):
        monkeypatch.delitem(sys.modules, "renderapi.viewing._page", raising=False)
        monkeypatch.setitem(sys.modules, "neuroglancer.server", None)
        with pytest.raises(ImportError, match=r'pip install "render-python\[view\]>=3".*--viewer dashboard'):
            renderapi.view("first", render=render)

    def test_naming_it_loads_no_neuroglancer(self):
        code = "import renderapi, sys; renderapi.view; print('neuroglancer' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"


class TestCommand:
    @pytest.fixture(autouse=True)
    def _at_the_server(self, server, monkeypatch):
        self.opened = []
        monkeypatch.setattr("webbrowser.open", lambda url: self.opened.append(url) or True)
        monkeypatch.setenv("RENDER_OWNER", "me")
        monkeypatch.setenv("RENDER_PROJECT", "p")
        self.server = ["--url", server.url]

    def test_it_opens_the_page_until_ctrl_c(self, monkeypatch, capsys):
        def interrupt(seconds):
            self.answer = requests.get(self.opened[0]).status_code
            raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", interrupt)
        assert cli.main(["view", "first", "second", "--blended", "--matches", "pairs", *self.server]) == 0
        assert self.answer == 200
        assert f"me/p/first in Neuroglancer: {self.opened[0]}\n" == capsys.readouterr().out
        with pytest.raises(requests.ConnectionError):
            requests.get(self.opened[0])

    def test_the_dashboard_needs_no_neuroglancer(self, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "neuroglancer", None)
        assert cli.main(["view", "first", "--viewer", "dashboard", *self.server]) == 0
        assert requests.get(self.opened[0]).status_code == 200
        assert self.opened[0].endswith(
            "/view/viewer.html?renderStackOwner=me&renderStackProject=p&renderStack=first"
        )
        assert cli.main(["view", "first", "--viewer", "dashboard", "--no-browser", *self.server]) == 0
        assert len(self.opened) == 1

    @pytest.mark.parametrize(
        "words",
        [
            ["first", "--blended"],
            ["first", "second", "--viewer", "dashboard"],
            ["first", "--matches", "http://h/render-ws/v1/owner/o/matchCollection/c"],
        ],
    )
    def test_words_that_do_not_go_together(self, words, capsys):
        assert cli.main(["view", *words, *self.server]) == 2
        assert capsys.readouterr().err.startswith("renderapi view: ")


@pytest.mark.slow
def test_a_browser_shows_the_pixels_of_the_section_and_asks_nobody_else(render, tmp_path):
    from selenium import webdriver

    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (
        "--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader", "--window-size=1200,800", f"--user-data-dir={tmp_path}",
    ):  # fmt: skip
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        with renderapi.view("first", outlines=False, position=(-125, 184, 3), render=render) as page:
            driver.get(page.url)
            deadline = time.monotonic() + 120
            shares = {}
            while time.monotonic() < deadline:
                with Image.open(BytesIO(driver.get_screenshot_as_png())) as picture:
                    values, counts = np.unique(np.asarray(picture.convert("L")), return_counts=True)
                shares = dict(zip(values.tolist(), (counts / counts.sum()).tolist()))
                if shares.get(40, 0) > 0.05 and shares.get(200, 0) > 0.05:
                    break
                time.sleep(0.5)
            assert shares.get(40, 0) > 0.05 and shares.get(200, 0) > 0.05
            asked = driver.execute_script(
                "return [...new Set(performance.getEntriesByType('resource').map((e) => new URL(e.name).origin))]"
            )
            assert asked == [page.url.partition("/v/")[0]]
    finally:
        driver.quit()
