"""The pages under /render-ws/view/, as files and in a browser.

The browser is a headless Chromium with its chromedriver, as Debian packages them. Without one the tests that
need it are skipped, but not in continuous integration (environment variable ``CI``), where they fail.
With the environment variable ``DASHBOARD_PICTURES`` the pictures of the documentation are written to that
folder.
"""

import base64
import io
import json
import math
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import requests
import specimen
from PIL import Image

import renderapi.server
from renderapi.rendering import Sources, render
from renderapi.server import serve_background
from renderapi.tilespec import TileSpec

PAGES = ("index", "stacks", "stack-details", "viewer", "tile-layer", "point-match-explorer", "match-trial")
FOLDER = Path(renderapi.server.__file__).parent / "dashboard"
SOURCES = sorted(path for path in FOLDER.rglob("*") if path.suffix in (".html", ".js", ".css", ".svg"))
BROWSER_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
]

ROWS, COLUMNS, LAYERS = 6, 9, 8
SIZE, STEP = 2048, 1850
ODD_STACK = "<img src=x onerror=document.title=1>"
ODD_TILE = "<b>a/b</b> & \"c\" 'd'"
ODD_NOTES = "<script>document.title=2</script>"
CHOSEN = {
    "renderStackOwner": "lab",
    "renderStackProject": "cortex",
    "renderStack": "v1_acquire",
    "matchOwner": "lab",
    "matchCollection": "cortex_v1",
}


# ---- the files


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_name_no_other_host_and_make_no_html_of_text(path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]", text)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_strict_about_what_they_load(page):
    text = (FOLDER / f"{page}.html").read_text(encoding="utf-8")
    assert 'http-equiv="Content-Security-Policy" content="default-src \'self\';' in text
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", text)
    for name in re.findall(r'(?:src|href)="([^"#]+)"', text):
        assert (FOLDER / name).is_file()


def _luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear))


def _contrast(one, other):
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(theme):
    css = (FOLDER / "style.css").read_text(encoding="utf-8")
    pairs = re.findall(r"(--[\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", css)
    colours = {name: shades[theme] for name, *shades in pairs}
    for text in ("--text", "--muted", "--accent", "--danger", "--warn"):
        for ground in ("--page", "--surface", "--raised"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert _contrast(colours["--on-accent"], colours["--accent"]) >= 4.5
    # what is drawn, and the borders of what can be operated
    for mark in [name for name in colours if name.startswith(("--series", "--field", "--missing", "--some"))]:
        assert _contrast(colours[mark], colours["--surface"]) >= 3, mark


def test_server_gives_the_pages(api):
    answer = api.client.get("/render-ws/view/")
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/render-ws/view/index.html")
    for path in SOURCES:
        kind = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        with api.client.get(f"/render-ws/view/{path.relative_to(FOLDER).as_posix()}") as answer:
            assert answer.data == path.read_bytes()
            assert answer.mimetype == kind[path.suffix]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


# ---- what they show


def tile_id(z, row, column):
    return f"z{z:03d}_r{row}_c{column}"


def affine(numbers):
    spec = {"type": "leaf", "className": "mpicbg.trakem2.transform.AffineModel2D", "dataString": numbers}
    return {"type": "list", "specList": [spec]}


def tile(ident, z, x, y, section=None):
    return {
        "tileId": ident,
        "z": z,
        "width": SIZE,
        "height": SIZE,
        "minX": x,
        "minY": y,
        "maxX": x + SIZE,
        "maxY": y + SIZE,
        "layout": {"sectionId": section or f"{z}.0"},
        "mipmapLevels": {"0": {"imageUrl": "file:/images/any.png"}},
        "transforms": affine(f"1 0 0 1 {x} {y}"),
    }


class Data:
    """Requests that fill a server; `image` is the one that tiles show."""

    def __init__(self, url, image=None):
        self.url = f"{url}/v1/owner"
        self.image = image
        self.session = requests.Session()

    def send(self, method, path, body=None):
        answer = self.session.request(method, f"{self.url}/{path}", json=body)
        assert answer.status_code in (200, 201), (answer.status_code, answer.text)
        return answer

    def get(self, path):
        return self.send("GET", path).json()

    def stack(self, path, tiles, *states, **version):
        self.send("POST", path, version)
        if tiles:
            self.tiles(path, tiles)
        for state in states:
            self.send("PUT", f"{path}/state/{state}")

    def tiles(self, path, tiles):
        for spec in tiles:
            if self.image is not None and "channels" not in spec:
                spec["mipmapLevels"]["0"]["imageUrl"] = f"file:{self.image}"
        body = {"transformIdToSpecMap": {}, "tileIdToSpecMap": {spec["tileId"]: spec for spec in tiles}}
        self.send("PUT", f"{path}/resolvedTiles", body)

    def matches(self, path, pairs):
        body = [
            {
                "pGroupId": p_group,
                "pId": p,
                "qGroupId": q_group,
                "qId": q,
                "matches": {"p": [[1.0] * count] * 2, "q": [[1.0] * count] * 2, "w": [1.0] * count},
            }
            for p_group, p, q_group, q, count in pairs
        ]
        self.send("PUT", f"{path}/matches", body)


def montage(layers):
    """Make layers of overlapping tiles that stray a little."""
    chance = random.Random(7)
    return [
        tile(
            tile_id(z, row, column),
            z,
            column * STEP + 40 * z + chance.randint(-40, 40),
            row * STEP - 25 * z + chance.randint(-40, 40),
        )
        for z in range(1, layers + 1)
        for row in range(ROWS)
        for column in range(COLUMNS)
        if row or column or z % 3
    ]


def pairs_of_montage():
    """Match neighbours, but not over the seam beside column 3, and tiles of layers up to two apart."""
    chance = random.Random(8)
    there = {spec["tileId"] for spec in montage(LAYERS)}
    for z in range(1, LAYERS + 1):
        for row in range(ROWS):
            for column in range(COLUMNS):
                others = [(z, row + 1, column), (z + 1, row, column), (z + 2, row, column)]
                others += [(z, row, column + 1)] if column != 3 else []
                for other in others:
                    p, q = tile_id(z, row, column), tile_id(*other)
                    if p in there and q in there and (other[0] == z or chance.random() < 0.8):
                        yield f"{z}.0", p, f"{other[0]}.0", q, chance.randint(4, 60)


def save(pixels, path):
    Image.fromarray(pixels).save(path)
    return path


def put_specimen(data, folder):
    """Store the tiles of the specimen as a stack `em`, and matches of neighbours that are where they belong."""
    stack = "lab/project/vision/stack/em"
    tiles, corners = [], {}
    for z, row, column, pixels, numbers in specimen.tiles():
        spec = tile(f"em{z}_r{row}_c{column}", z, 0, 0)
        image = save(pixels, folder / f"{spec['tileId']}.png")
        spec["mipmapLevels"]["0"]["imageUrl"] = f"file:{image}"
        spec.update(width=specimen.SIZE, height=specimen.SIZE, transforms=affine(numbers))
        tiles.append(spec)
        a, c, b, d, x, y = map(float, numbers.split())
        corners[z, row, column] = np.array([[a, b], [c, d]]), np.array([[x], [y]])
    data.send("POST", stack, {})
    body = {"transformIdToSpecMap": {}, "tileIdToSpecMap": {spec["tileId"]: spec for spec in tiles}}
    data.send("PUT", f"{stack}/resolvedTiles?deriveData=true", body)
    data.send("PUT", f"{stack}/state/COMPLETE")
    chance = np.random.default_rng(3)
    pairs = []
    for z, row, column in corners:
        if z > 1 or column + 1 == specimen.COLUMNS:
            continue
        (linear, offset), (other, place) = corners[z, row, column], corners[z, row, column + 1]
        p = chance.uniform(
            [[specimen.STEP + 15], [20]], [[specimen.SIZE - 10], [specimen.SIZE - 20]], (2, 24)
        )
        q = np.linalg.inv(other) @ (linear @ p + offset - place)
        names = [f"em{z}_r{row}_c{at}" for at in (column, column + 1)]
        points = {"p": p.tolist(), "q": q.tolist(), "w": [1.0] * 24}
        pairs.append(
            {"pGroupId": f"{z}.0", "pId": names[0], "qGroupId": f"{z}.0", "qId": names[1], "matches": points}
        )
    data.send("PUT", "lab/matchCollection/em/matches", pairs)


def put_others(data, folder):
    """Store stacks whose images cannot be read, and one with channels."""
    blind = tile("blind", 1, 0, 0)
    blind["mipmapLevels"]["0"]["imageUrl"] = "file:/etc/hostname"
    body = {"transformIdToSpecMap": {}, "tileIdToSpecMap": {"blind": blind}}
    data.stack("lab/project/vision/stack/blind", [])
    data.send("PUT", "lab/project/vision/stack/blind/resolvedTiles", body)
    data.send("PUT", "lab/project/vision/stack/blind/state/COMPLETE")
    channels = []
    for name, value in (("DAPI", 40), ("GFP", 200)):
        image = save(np.full((SIZE, SIZE), value, np.uint8), folder / f"{name}.png")
        levels = {"0": {"imageUrl": f"file:{image}"}}
        channels.append({"name": name, "minIntensity": 0, "maxIntensity": 255, "mipmapLevels": levels})
    coloured = {**tile("two", 1, 0, 0), "mipmapLevels": {}, "channels": channels}
    data.stack("lab/project/vision/stack/channels", [coloured], "COMPLETE")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    first = Image.fromarray(next(specimen.sections()).astype(np.uint8))
    first.resize((SIZE, SIZE)).save(folder / "any.png")
    with serve_background(image_roots=[folder]) as running:
        data = Data(running.url, folder / "any.png")
        running.folder = folder
        cortex = "lab/project/cortex/stack"
        data.stack(
            f"{cortex}/v1_acquire",
            montage(LAYERS),
            "COMPLETE",
            cycleNumber=1,
            cycleStepNumber=1,
            stackResolutionX=8.0,
            stackResolutionY=8.0,
            stackResolutionZ=35.0,
            versionNotes="as acquired",
        )
        data.stack(
            f"{cortex}/v2_montage", montage(3), "COMPLETE", "READ_ONLY", cycleNumber=1, cycleStepNumber=2
        )
        data.stack(f"{cortex}/v10_align", montage(5), "COMPLETE", cycleNumber=2, cycleStepNumber=1)
        data.stack(f"{cortex}/v11_align", montage(1), cycleNumber=2, cycleStepNumber=2)
        data.matches("lab/matchCollection/cortex_v1", pairs_of_montage())
        odd = [tile(ODD_TILE, 1, 0, 0, "<i>1</i>"), tile("other", 1, 1800, 0, "<i>1</i>")]
        data.stack("lab/project/odd/stack/plain", odd, "COMPLETE", versionNotes=ODD_NOTES)
        data.matches("lab/matchCollection/odd", [("<i>1</i>", ODD_TILE, "<i>1</i>", "other", 3)])
        data.stack("lab/project/odd/stack/renamed", [])
        new_name = {"owner": "lab", "project": "odd", "stack": ODD_STACK}
        data.send("PUT", "lab/project/odd/stack/renamed/stackId", new_name)
        data.stack("guest/project/tests/stack/empty", [])
        put_specimen(data, folder)
        put_others(data, folder)
        running.data = data
        yield running


@pytest.fixture(scope="module")
def chromium():
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        told = "neither Chromium nor its chromedriver may be missing (Debian: chromium, chromium-driver)"
        if "CI" in os.environ:
            pytest.fail(told)
        pytest.skip(told)
    return binary, driver


class Browser:
    """A page in Chromium."""

    def __init__(self, chromium, profile):
        from selenium import webdriver
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        options = webdriver.ChromeOptions()
        options.binary_location = chromium[0]
        for flag in (*BROWSER_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromium[1]))
        self.actions = lambda: webdriver.ActionChains(self.driver, duration=20)
        self.css = By.CSS_SELECTOR
        self.keys = Keys
        self.url = ""

    def look(self, width=1280, height=900, dark=False, sharpness=1):
        size = {"width": width, "height": height, "deviceScaleFactor": sharpness, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})

    def open(self, page, **query):
        text = requests.compat.urlencode({key: value for key, value in query.items() if value is not None})
        self.driver.get(f"{self.url}/view/{page}.html?{text}")
        self.wait(lambda: self.all("#picker select:enabled") or self.all(".message"))

    def wait(self, holds, what="the page to change"):
        from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.driver, 20, 0.05, [StaleElementReferenceException])
        try:
            return waiting.until(lambda driver: holds())
        except TimeoutException:
            raise AssertionError(
                f"waited for {what} at {self.driver.current_url}: {self.text('main')}"
            ) from None

    def all(self, selector):
        return self.driver.find_elements(self.css, selector)

    def one(self, selector):
        return self.wait(lambda: next(iter(self.all(selector)), None), selector)

    def text(self, selector):
        return "\n".join(element.text for element in self.all(selector))

    def texts(self, selector):
        script = "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent)"
        return self.js(script, selector)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait_text(self, selector, text):
        return self.wait(lambda: text in self.text(selector) and self.text(selector), text)

    def button(self, text, within=""):
        found = [
            node
            for node in self.all(f"{within} button")
            if text in (node.text, node.get_attribute("aria-label"))
        ]
        assert len(found) == 1, (text, [node.text for node in self.all(f"{within} button")])
        return found[0]

    def send(self, *keys):
        self.actions().send_keys(*keys).perform()

    def point(self, canvas, x=0, y=0, click=False):
        """Point at a canvas, so far from its middle."""
        action = self.actions().move_to_element_with_offset(canvas, x, y)
        (action.click() if click else action).perform()

    def ink(self, canvas):
        """Wait for the next frame and tell which part of a canvas is painted, and a sum over its pixels."""
        return self.driver.execute_async_script(
            """const [canvas, done] = arguments;
            requestAnimationFrame(() => requestAnimationFrame(() => {
              // of a copy: a canvas that is read is drawn more slowly afterwards
              const copy = new OffscreenCanvas(canvas.width, canvas.height)
                .getContext("2d", { willReadFrequently: true });
              copy.drawImage(canvas, 0, 0);
              const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
              let [painted, sum] = [0, 0];
              for (let at = 0; at < data.length; at += 4) {
                if (data[at + 3] > 0) painted += 1;
                sum = (sum * 31 + data[at] + 256 * data[at + 1] + 65536 * data[at + 2] + data[at + 3]) % 1e9;
              }
              done([painted / (data.length / 4), sum]);
            }));""",
            canvas,
        )

    def problems(self):
        return [entry for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def hosts(self):
        """Tell the hosts that were asked for something since this was last called."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        return {url.split("/render-ws/")[0] for url in urls}


@pytest.fixture(scope="module")
def driven(chromium, tmp_path_factory):
    browser = Browser(chromium, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(driven, server):
    driven.url = server.url
    driven.look()
    driven.problems()
    driven.hosts()
    return driven


@pytest.fixture
def empty(driven):
    with serve_background() as running:
        driven.url = running.url
        driven.look()
        yield driven


def shown(browser, page, **query):
    """Open a page with everything that it shows."""
    browser.open(page, **{**CHOSEN, **query})
    ready = {
        "index": "#collections tbody tr",
        "stacks": "tbody tr",
        "stack-details": "canvas.chart",
        "viewer": ".map[data-z]",
        "tile-layer": ".map[data-z]",
        "point-match-explorer": "canvas.matrix",
        "match-trial": "#trial button",
    }
    browser.one(ready[page])
    return browser


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page_loads_without_complaints_and_from_this_host_only(browser, server, page):
    shown(browser, page, z=2)
    assert browser.problems() == []
    assert browser.hosts() == {server.url.removesuffix("/render-ws")}
    assert len(browser.all("h1")) == 1
    (current,) = browser.all("nav [aria-current=page]")
    assert current.text == browser.text("h1")
    assert "renderStack=v1_acquire" in current.get_attribute("href")
    for control in browser.all("main input, main select, main button, main canvas[tabindex], main a"):
        assert control.accessible_name or not control.is_displayed(), control.get_attribute("outerHTML")


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_phone_needs_no_horizontal_scrolling(browser, page):
    browser.look(390, 844)
    shown(browser, page, z=2)
    assert browser.js("return document.documentElement.scrollWidth") == 390
    wide = """return [...document.querySelectorAll("main *:not(.hidden)")].filter((node) => {
        const box = node.getBoundingClientRect();
        return box.width > 0 && (box.right > 391 || box.left < -1);
    }).map((node) => node.outerHTML.slice(0, 200))"""
    assert browser.js(wide) == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_dark_mode_follows_the_system(browser, page):
    shown(browser, page, z=2)
    colours = """const style = getComputedStyle(document.body);
        return [style.backgroundColor, style.color].map((text) => Number(text.match(/\\d+/)[0]))"""
    light = browser.js(colours)
    if page == "tile-layer":
        # pixels are on a dark ground always
        browser.one("#tools label.check input").click()
    canvases = [browser.ink(canvas)[1] for canvas in browser.all("canvas.chart, canvas.matrix, canvas.base")]
    pictured = bool(browser.all(".map.pictured"))
    browser.look(dark=True)
    dark = browser.js(colours)
    assert light[0] > 200 > 60 > light[1]
    assert dark[0] < 60 < 200 < dark[1]
    after = [browser.ink(canvas)[1] for canvas in browser.all("canvas.chart, canvas.matrix, canvas.base")]
    assert pictured == (page == "viewer")
    assert all((one != other) != pictured for one, other in zip(canvases, after))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != "index"])
def test_page_without_keys_says_what_to_choose(browser, page):
    browser.open(page)
    assert "Choose an owner" in browser.wait_text("#status", "then press Show.")
    assert browser.problems() == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_page_of_an_empty_server_says_what_to_do(empty, page):
    empty.open(page)
    assert "renderapi.stack.create_stack" in empty.wait_text("#status", "Make ")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["stack-details", "viewer", "tile-layer", "point-match-explorer"])
def test_page_of_an_unknown_stack_repeats_the_server(browser, page):
    browser.open(page, **{**CHOSEN, "renderStack": "v3"})
    told = browser.wait_text("[role=alert]", "status 404")
    assert "stack with owner 'lab', project 'cortex', and name 'v3' does not exist" in told
    assert "v3 (not on this server)" in browser.texts("#pick-renderStack option")


@pytest.mark.slow
def test_page_says_when_the_server_does_not_answer(browser):
    shown(browser, "tile-layer", z=1)
    browser.js("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    browser.button("Layer after").click()
    assert "The server did not answer" in browser.wait_text("[role=alert]", "Layer 2 could not be read")


@pytest.mark.slow
def test_overview_leads_from_owner_to_stack(browser):
    from selenium.webdriver.support.ui import Select

    browser.open("index")
    browser.wait_text("#pages", "Still to choose: owner, project.")
    Select(browser.one("#pick-renderStackOwner")).select_by_visible_text("lab")
    browser.wait(
        lambda: browser.texts("#pick-renderStackProject option") == ["choose …", "cortex", "odd", "vision"]
    )
    browser.wait_text("#projects", "cortex")
    assert browser.texts("#projects tbody tr:first-child td")[:2] == [
        "4",
        str(len(montage(8) + montage(3) + montage(5))),
    ]
    Select(browser.one("#pick-renderStackProject")).select_by_visible_text("cortex")
    browser.wait(lambda: "v10_align" in browser.texts("#pick-renderStack option"))
    Select(browser.one("#pick-renderStack")).select_by_visible_text("v10_align")
    browser.wait(lambda: "renderStack=v10_align" in browser.driver.current_url)
    next(card for card in browser.all("#pages a") if card.text.startswith("Stack details")).click()
    browser.wait_text("#summary h2", "v10_align")
    assert browser.problems() == []


@pytest.mark.slow
def test_properties_of_the_server_are_defaults(driven):
    with serve_background(properties={"view.renderStackOwner": "two"}) as running:
        for owner in ("one", "two"):
            Data(running.url).stack(f"{owner}/project/only/stack/s", [])
        driven.url = running.url
        driven.open("stacks")
        driven.wait_text("#stacks output", "1 stack")
        # a project that is the only one need not be chosen
        assert "two" in driven.one("#stacks th a").get_attribute("href")


@pytest.mark.slow
def test_form_shows_what_was_chosen(browser):
    from selenium.webdriver.support.ui import Select

    browser.open("stacks", renderStackOwner="lab", matchOwner="lab")
    browser.wait_text("#status", "Choose a project above")
    Select(browser.one("#pick-renderStackProject")).select_by_visible_text("cortex")
    browser.button("Show").click()
    browser.wait_text("#stacks", "v2_montage")
    assert browser.driver.current_url.endswith(
        "stacks.html?renderStackOwner=lab&renderStackProject=cortex&matchOwner=lab"
    )


NAMES = "tbody tr th"


@pytest.mark.slow
def test_table_of_stacks_sorts_by_every_kind_of_column(browser):
    shown(browser, "stacks")
    assert browser.texts(NAMES) == ["v11_align", "v10_align", "v2_montage", "v1_acquire"]

    def heading(name):
        return next(node for node in browser.all("thead th") if node.text.startswith(name))

    heading("Stack").find_element(browser.css, "button").click()
    assert browser.texts(NAMES) == ["v1_acquire", "v2_montage", "v10_align", "v11_align"]
    assert heading("Stack").get_attribute("aria-sort") == "ascending"
    # v11_align is LOADING and has no count: it is last in either direction
    heading("Tiles").find_element(browser.css, "button").send_keys(browser.keys.ENTER)
    assert browser.texts(NAMES) == ["v2_montage", "v10_align", "v1_acquire", "v11_align"]
    assert heading("Stack").get_attribute("aria-sort") is None
    heading("Tiles").find_element(browser.css, "button").click()
    assert browser.texts(NAMES) == ["v1_acquire", "v10_align", "v2_montage", "v11_align"]
    assert heading("Tiles").get_attribute("aria-sort") == "descending"
    row = browser.texts("tbody tr:first-child td")
    count = len(montage(LAYERS))
    assert row[:8] == ["1", "1", "COMPLETE", "1", str(LAYERS), str(LAYERS), str(count), "0"]
    browser.one("input[type=search]").send_keys("ALIGN")
    assert browser.texts(NAMES) == ["v10_align", "v11_align"]
    assert "2 of 4 stacks" in browser.text("#stacks")


@pytest.mark.slow
def test_table_of_stacks_sorts_on_a_phone(browser):
    from selenium.webdriver.support.ui import Select

    browser.look(390, 844)
    shown(browser, "stacks")
    before = browser.texts(NAMES)
    Select(browser.one(".sorting select")).select_by_visible_text("Stack")
    assert browser.texts(NAMES) == ["v1_acquire", "v2_montage", "v10_align", "v11_align"]
    browser.button("Reverse").click()
    assert browser.texts(NAMES) == ["v11_align", "v10_align", "v2_montage", "v1_acquire"]
    Select(browser.one(".sorting select")).select_by_index(0)
    assert browser.texts(NAMES) == before


@pytest.mark.slow
def test_menu_of_a_stack_opens_and_closes_by_keyboard(browser):
    shown(browser, "stacks")
    button = browser.button("Views of v1_acquire")
    button.send_keys(browser.keys.ENTER)
    browser.wait(lambda: button.get_attribute("aria-expanded") == "true")
    links = {link.text: link.get_attribute("href") for link in browser.all(".menu a")}
    base = f"{browser.url}/v1/owner/lab/project/cortex/stack/v1_acquire"
    assert links["Metadata"] == base
    assert links["Reordered sections"] == f"{base}/reorderedSectionData"
    assert "z=1" in links["Tile layer"]
    for address in links.values():
        assert requests.get(address).status_code == 200
    browser.send(browser.keys.TAB)
    assert browser.driver.switch_to.active_element.text == "Details and charts"
    browser.send(browser.keys.ESCAPE)
    browser.wait(lambda: button.get_attribute("aria-expanded") == "false")
    assert not browser.one(".menu").is_displayed()
    assert browser.driver.switch_to.active_element == button


@pytest.mark.slow
def test_delete_asks_first(browser, server):
    path = "lab/project/cortex/stack/v0_trial"
    server.data.stack(path, montage(1), "COMPLETE")
    shown(browser, "stacks")
    browser.button("Delete v0_trial").click()
    assert "v0_trial of lab, cortex goes with 54 tiles in 1 layer" in browser.one("dialog").text
    # what is safe has the focus
    browser.send(browser.keys.ENTER)
    browser.wait(lambda: not browser.all("dialog"))
    assert server.data.get(path)["state"] == "COMPLETE"
    browser.button("Delete v0_trial").click()
    browser.button("Delete the stack", "dialog").click()
    browser.wait_text("#status", "The stack v0_trial was deleted.")
    assert "v0_trial" not in browser.texts(NAMES)
    assert "4 stacks" in browser.text("#stacks output")
    assert "v0_trial" not in [stack["stack"] for stack in server.data.get("lab/stackIds")]
    assert browser.problems() == []


@pytest.mark.slow
def test_delete_tells_what_the_server_refuses(browser, server):
    shown(browser, "stacks")
    browser.button("Delete v2_montage").click()
    browser.button("Delete the stack", "dialog").click()
    told = browser.wait_text("dialog [role=alert]", "The stack was not deleted.")
    assert "Data for stack v2_montage cannot be modified because it is READ_ONLY." in told
    browser.button("Keep it", "dialog").click()
    assert "v2_montage" in browser.texts(NAMES)


@pytest.mark.slow
def test_charts_show_the_layers(browser, server):
    shown(browser, "stack-details")
    charts = browser.all("canvas.chart")
    assert browser.texts("figure h2") == [
        "Tiles",
        "x bounds (px)",
        "y bounds (px)",
        "Change of bounds from the layer before (px)",
    ]
    assert all(browser.ink(chart)[0] > 0.005 for chart in charts)
    assert browser.ink(charts[0])[0] > 0.2  # bars
    sections = {
        section["z"]: section
        for section in server.data.get("lab/project/cortex/stack/v1_acquire/sectionData")
    }
    browser.js("arguments[0].focus()", charts[0])
    browser.send(browser.keys.HOME, browser.keys.ARROW_RIGHT)
    outputs = browser.texts("figure output")
    assert outputs[0].startswith(f"z 2: tiles {sections[2]['tileCount']} ")
    assert outputs[1].startswith(f"z 2: min x {sections[2]['minX']:.0f}, max x {sections[2]['maxX']:,.0f} ")
    change = sections[2]["minX"] - sections[1]["minX"]
    assert f"min x {change:.0f}," in outputs[3]
    assert charts[0].get_attribute("aria-valuetext") == f"z 2: tiles {sections[2]['tileCount']}"
    before = browser.ink(charts[1])
    browser.point(charts[1], 250, 0)
    z = int(re.match(r"z (\d+):", browser.wait_text("figure:nth-child(2) output", "z ")).group(1))
    assert z > 4
    assert browser.ink(charts[1]) != before
    browser.js("arguments[0].focus()", charts[0])
    browser.send(browser.keys.ENTER)
    browser.wait(lambda: "tile-layer.html" in browser.driver.current_url)
    assert f"z={z}" in browser.driver.current_url


@pytest.mark.slow
def test_values_of_charts_can_be_read_as_a_table(browser, server):
    shown(browser, "stack-details")
    browser.one("details summary").click()
    browser.wait(lambda: len(browser.all("#values tbody tr")) == LAYERS)
    section = server.data.get("lab/project/cortex/stack/v1_acquire/z/3/sectionData")[0]
    assert browser.texts("#values tbody tr:nth-child(3) td")[:2] == ["3.0", str(section["tileCount"])]


@pytest.mark.slow
def test_details_of_a_loading_stack_say_how_to_get_charts(browser):
    browser.open("stack-details", **{**CHOSEN, "renderStack": "v11_align"})
    assert 'set_stack_state("v11_align", "COMPLETE"' in browser.wait_text(
        "#status", "There are no charts yet"
    )
    assert "LOADING" in browser.text("#summary")


def _in_box(tiles, ident, x, y):
    box = tiles[ident]
    return box["minX"] - 1 <= x <= box["maxX"] + 1 and box["minY"] - 1 <= y <= box["maxY"] + 1


@pytest.mark.slow
def test_hover_names_the_tile(browser):
    # the whole map is in sight, whose middle is pointed from
    browser.look(1280, 1100)
    shown(browser, "tile-layer", z=2)
    tiles = {spec["tileId"]: spec for spec in montage(LAYERS) if spec["z"] == 2}
    canvas = browser.one(".map canvas.top")
    seen = set()
    for x, y in ((0, 0), (150, 80), (-210, 30)):
        browser.point(canvas, x, y)
        told = browser.one(".pointed").text
        x, y, ident, section = re.fullmatch(r"x (\S+), y (\S+): tile (\S+), section (\S+)", told).groups()
        assert _in_box(tiles, ident, *(float(part.replace(",", "")) for part in (x, y)))
        assert section == "2.0"
        seen.add(ident)
    assert len(seen) == 3
    # zoomed about the pointer, the same tile stays under it
    browser.js(
        """const { left, top, width, height } = arguments[0].getBoundingClientRect();
        arguments[0].dispatchEvent(new WheelEvent("wheel", {
            deltaY: -300, clientX: left + width / 2 - 210, clientY: top + height / 2 + 30, cancelable: true }))""",
        canvas,
    )
    browser.point(canvas, -209, 31)
    assert ident in browser.one(".pointed").text


@pytest.mark.slow
def test_matches_are_lines_and_clusters_colours(browser):
    shown(browser, "tile-layer", z=2)
    inside = [pair for pair in pairs_of_montage() if pair[0] == pair[2] == "2.0"]
    base = browser.one(".map canvas.base")
    legend = browser.wait_text("#view .legend", "Cluster")
    assert "Cluster 1: 30 tiles\nCluster 2: 24 tiles" in legend
    counts = [int(count) for count in re.findall(r"(\d+) pairs, \d+ to \d+ matches", legend)]
    assert len(counts) == 3
    assert sum(counts) == len(inside)
    lines = browser.ink(base)
    _, matches, overlaps = browser.all("#tools input[type=checkbox]")
    matches.click()
    assert browser.ink(base) != lines
    overlaps.click()
    assert f"{ROWS} overlaps without matches" in browser.wait_text("#view .legend", "overlaps")
    without = browser.ink(base)
    matches.click()
    assert browser.ink(base) != without


@pytest.mark.slow
def test_tiles_are_chosen_by_keyboard_and_by_name(browser, server):
    shown(browser, "tile-layer", z=2)
    canvas = browser.one(".map canvas.top")
    field = browser.one("#tools input[type=search]")
    field.send_keys("r3_c2", browser.keys.ENTER)
    name = tile_id(2, 3, 2)
    assert browser.wait_text(".panel h2", name) == f"Tile {name}"
    marked = browser.ink(canvas)
    browser.js("arguments[0].focus()", canvas)
    browser.send(browser.keys.ARROW_RIGHT, browser.keys.ARROW_DOWN)
    assert browser.wait_text(".panel h2", tile_id(2, 4, 3))
    assert browser.ink(canvas) != marked
    # no matches over the seam, so three neighbours
    partners = [text.split()[0] for text in browser.texts(".panel .partners li")]
    assert sorted(partners) == sorted([tile_id(2, 3, 3), tile_id(2, 5, 3), tile_id(2, 4, 2)])
    (address,) = (link.get_attribute("href") for link in browser.all(".panel a") if link.text == "Tile spec")
    assert requests.get(address).json()["tileId"] == tile_id(2, 4, 3)
    base = browser.one(".map canvas.base")
    drawn = browser.ink(base)
    browser.send("+")
    browser.actions().key_down(browser.keys.SHIFT).send_keys(browser.keys.ARROW_LEFT).key_up(
        browser.keys.SHIFT
    ).perform()
    assert browser.ink(base) != drawn
    browser.send("0")
    assert browser.ink(base) == drawn
    browser.send(browser.keys.ESCAPE)
    browser.wait_text(".panel", "Choose a tile")
    field.clear()
    field.send_keys("nowhere", browser.keys.ENTER)
    assert browser.wait_text(".pointed", "nowhere") == "No tile of this layer has nowhere in its id."


@pytest.mark.slow
def test_layers_are_stepped_through(browser):
    shown(browser, "tile-layer")
    assert "z=1" in browser.driver.current_url
    before = browser.button("Layer before")
    assert not before.is_enabled()
    browser.button("Layer after").click()
    browser.wait(lambda: browser.all(".map[data-z='2']"))
    assert "z=2" in browser.driver.current_url
    assert "layer 2 of 8" in browser.text("#layer")
    assert browser.driver.switch_to.active_element.get_attribute("aria-label") == "Layer after"
    field = browser.one("#z")
    field.clear()
    field.send_keys("77", browser.keys.ENTER)
    assert "The nearest layer is z 8." in browser.wait_text("#status", "There are no tiles at z 77.")
    browser.driver.back()
    browser.wait(lambda: browser.all(".map[data-z='2']"))
    assert browser.text("#status") == ""


@pytest.mark.slow
def test_layer_without_matches_says_so(browser):
    browser.open("tile-layer", **{**CHOSEN, "matchCollection": "odd"}, z=2)
    told = browser.wait_text("#status", "The collection odd has no matches between the tiles of this layer.")
    assert "Section ids here: 2.0. Group ids of the collection: <i>1</i>." in told
    browser.open("point-match-explorer", **{**CHOSEN, "matchCollection": "odd"})
    told = browser.wait_text("#status", "The collection odd has no matches of these layers.")
    assert "Section ids here: 1.0, 2.0, 3.0, and 5 more. Group ids of the collection: <i>1</i>." in told
    browser.open("tile-layer", **{**CHOSEN, "matchCollection": "gone"}, z=2)
    told = browser.wait_text("[role=alert]", "The matches could not be read")
    assert "match collection 'lab__gone' does not exist" in told
    assert browser.ink(browser.one(".map canvas.base"))[0] > 0.1


@pytest.mark.slow
def test_explorer_counts_pairs_of_layers_and_opens_them(browser):
    shown(browser, "point-match-explorer")
    matrix = browser.one("canvas.matrix")
    assert browser.ink(matrix)[0] > 0.3
    browser.js("arguments[0].focus()", matrix)
    browser.send(browser.keys.ARROW_DOWN, browser.keys.ARROW_RIGHT, browser.keys.ARROW_RIGHT)
    pairs = [pair for pair in pairs_of_montage() if (pair[0], pair[2]) == ("2.0", "3.0")]
    count = f"{sum(pair[4] for pair in pairs):,}"
    assert (
        browser.wait_text("#matrix-readout", "z 2 with")
        == f"z 2 with z 3: {len(pairs)} tile pairs, {count} matches"
    )
    browser.send(browser.keys.ENTER)
    browser.one(".map[data-layers='2,3']")
    assert "pZ=2&qZ=3" in browser.driver.current_url
    total = sum(spec["z"] in (2, 3) for spec in montage(LAYERS))
    assert f"{total - 2 * len(pairs)} tiles without matches here" in browser.text("#view .legend")
    canvas = browser.one(".map canvas.top")
    base = browser.one(".map canvas.base")
    boxes = browser.ink(base)
    assert boxes[0] > 0.1
    browser.one("#view input[type=checkbox]").click()
    assert browser.ink(base) != boxes
    browser.point(canvas, 0, -120, click=True)
    assert "z 2" in browser.wait_text(".pointed", "matches with")
    assert browser.one(".panel h2").text.startswith("Tile z002_")
    browser.point(canvas, 0, 120, click=True)
    browser.wait_text(".panel h2", "Tile z003_")
    assert browser.problems() == []


@pytest.mark.slow
def test_trial_is_run_shown_and_deleted(browser, server, tmp_path):
    pytest.importorskip("cv2")
    browser.open(
        "match-trial", **CHOSEN | {"renderStackProject": "vision", "renderStack": "em"}, pTileId="em1_r0_c1"
    )
    # in this order the page has to turn them
    browser.one("[name=qTileId]").send_keys("em1_r0_c0")
    for name, value in {"scale": "1", "matchMinNumInliers": "6"}.items():
        field = browser.one(f"[name={name}]")
        field.clear()
        field.send_keys(value)
    browser.button("Run the trial").click()
    browser.one("#result[data-trial] canvas")
    assert browser.text("#result h2") == "em1_r0_c0 and em1_r0_c1"
    told = browser.text("#result .facts")
    assert "Coverage" in told and "Features" in told
    address = browser.driver.current_url
    ident = re.search(r"matchTrialId=([0-9a-f]{24})", address)[1]
    trial = server.data.get(f"lab/matchTrial/{ident}")
    count = len(trial["matches"][0]["w"])
    assert f"{count} matches in 1 set." in browser.text("#result")
    assert trial["parameters"]["pRenderParametersUrl"].endswith(
        "/tile/em1_r0_c0/render-parameters?scale=1&filter=false&excludeMask=false"
    )
    # the address alone shows it again, and fills the form
    browser.driver.get(address)
    browser.one("#result[data-trial] canvas")
    assert browser.one("[name=qTileId]").get_attribute("value") == "em1_r0_c1"
    assert browser.problems() == []
    browser.button("Delete the trial").click()
    browser.wait_text("#status", "The trial was deleted.")
    browser.driver.get(address)
    browser.wait_text("#status", f"match trial with id '{ident}' does not exist")


@pytest.mark.slow
def test_trial_says_what_the_server_refuses(browser):
    tiles = {"pTileId": "em1_r0_c0", "qTileId": "nobody"}
    browser.open("match-trial", **CHOSEN | {"renderStackProject": "vision", "renderStack": "em"}, **tiles)
    browser.one("#trial button").click()
    browser.wait_text("#status", "failed to load render parameters from")


@pytest.mark.slow
def test_explorer_opens_layers_by_mouse_and_by_address(browser):
    shown(browser, "point-match-explorer", minZ=3, maxZ=6, pZ=4, qZ=4)
    browser.one(".map[data-layers='4,4']")
    assert "within layer 4" in browser.text("#view h2")
    matrix = browser.one("canvas.matrix")
    half = (matrix.rect["width"] - 46) / 8
    browser.point(matrix, 23 + half, 23 - half, click=True)
    browser.one(".map[data-layers='4,5']")
    browser.driver.back()
    browser.one(".map[data-layers='4,4']")
    fields = browser.all("#range input")
    assert [field.get_attribute("value") for field in fields] == ["3", "6"]
    fields[0].clear()
    fields[0].send_keys("70")
    fields[1].clear()
    fields[1].send_keys("80", browser.keys.ENTER)
    browser.wait_text("#status", "no layers in this range of z")


@pytest.mark.slow
def test_names_are_text_whatever_they_hold(browser):
    odd = {"renderStackOwner": "lab", "renderStackProject": "odd"}
    browser.open("stacks", **odd)
    browser.wait(lambda: ODD_STACK in browser.texts(NAMES))
    browser.button(f"Delete {ODD_STACK}").click()
    assert f"Delete {ODD_STACK}?" in browser.one("dialog").text
    browser.button("Keep it").click()
    browser.open("stack-details", **odd, renderStack=ODD_STACK)
    assert ODD_STACK in browser.wait_text("[role=alert]", "The server says")
    browser.open("stack-details", **odd, renderStack="plain")
    assert ODD_NOTES in browser.wait_text("#summary", "Notes")
    matches = {"matchOwner": "lab", "matchCollection": "odd"}
    browser.open("tile-layer", **odd, **matches, renderStack="plain", z=1)
    browser.wait_text("#view .legend", "Cluster 1: 2 tiles")
    browser.one("#tools input[type=search]").send_keys("<b>", browser.keys.ENTER)
    assert browser.wait_text(".panel h2", ODD_TILE) == f"Tile {ODD_TILE}"
    assert f"tile {ODD_TILE}, section <i>1</i>" in browser.one(".pointed").text
    address = next(link.get_attribute("href") for link in browser.all(".panel a") if link.text == "Tile spec")
    assert requests.get(address).json()["tileId"] == ODD_TILE
    browser.open("viewer", **odd, renderStack="plain", z=1)
    wait_for_blocks(browser)
    browser.point(browser.one("canvas.top"), -100, 0, click=True)
    assert browser.wait_text(".panel h2", ODD_TILE) == f"Tile {ODD_TILE}"
    assert f"tile {ODD_TILE}, section <i>1</i>" in browser.one(".pointed").text
    browser.open("viewer", **odd, renderStack=ODD_STACK)
    assert ODD_STACK in browser.wait_text("[role=alert]", "The server says")
    for page in ("index", "stacks", "viewer", "tile-layer", "point-match-explorer"):
        browser.open(page, **odd, **matches, renderStack="plain")
        assert browser.all("body img, body script, body b") == []
        assert "render-ws" in browser.driver.title


# ---- pixels

EM = {
    "renderStackOwner": "lab",
    "renderStackProject": "vision",
    "renderStack": "em",
    "matchOwner": "lab",
    "matchCollection": "em",
}


def look_at(browser, page="viewer", state="ready", **query):
    """Open the images of the specimen, and wait until all blocks in sight have come."""
    browser.open(page, **{**EM, **query})
    wait_for_blocks(browser, state)


def wait_for_blocks(browser, state="ready"):
    # what was asked for last has been drawn once
    browser.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    browser.wait(lambda: browser.all(f".map[data-images={state}]"), f"{state} blocks")


def pixels_of(browser):
    """Read the canvas of the pixels: (H, W, 3)."""
    text = browser.js(
        """const canvas = document.querySelector("canvas.ground");
        const copy = document.createElement("canvas");
        [copy.width, copy.height] = [canvas.width, canvas.height];
        copy.getContext("2d").drawImage(canvas, 0, 0);
        return copy.toDataURL("image/png").split(",")[1];"""
    )
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        return np.asarray(image.convert("RGBA").convert("RGB")).astype(int)


def expected(server, z, x, y, width, height, scale=1.0, stack="em", **query):
    """Render a box with the renderer itself."""
    base = f"{server.url}/v1/owner/lab/project/vision/stack/{stack}"
    address = f"{base}/z/{z}/box/{x},{y},{width},{height},{scale}/render-parameters"
    parameters = requests.get(address, params=query).json()
    with Sources(roots=[server.folder]) as sources:
        return render(parameters, sources=sources)[:, :, :3].astype(int)


def upper_left(canvas, x, y, scale=1.0):
    """Return the place in the world of the first whole pixel, for a view of whole pixels about x and y."""
    # blocks begin where a pixel of the screen begins: halves are rounded up
    return [
        int(middle - math.floor(size / 2 / scale * scale + 0.5) / scale)
        for middle, size in ((x, canvas.shape[1]), (y, canvas.shape[0]))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("sharpness", [1, 2])
def test_viewer_shows_the_pixels_that_the_renderer_gives(browser, server, sharpness):
    browser.look(1280, 900, sharpness=sharpness)
    look_at(browser, z=2, x=800, y=700, scale=1 / sharpness)
    canvas = pixels_of(browser)
    height, width = canvas.shape[:2]
    assert width > 600
    assert height > 300
    assert canvas.std() > 20
    assert np.array_equal(canvas, expected(server, 2, *upper_left(canvas, 800, 700), width, height))
    assert browser.problems() == []


@pytest.mark.slow
def test_viewer_magnifies_single_pixels(browser, server):
    look_at(browser, z=1, x=700.5, y=600.5, scale=8)
    canvas = pixels_of(browser)
    height, width = canvas.shape[:2]
    (value,) = expected(server, 1, 700, 600, 1, 1).reshape(-1, 3)
    square = canvas[height // 2 - 3 : height // 2 + 3, width // 2 - 3 : width // 2 + 3]
    assert (square == value).all()


@pytest.mark.slow
def test_viewer_shows_levels_at_their_place(browser, server):
    look_at(browser, z=1, x=1000, y=800, scale=0.5)
    assert browser.text(".map > output").endswith("blocks at a scale of 1 / 2.")
    canvas = pixels_of(browser)
    height, width = canvas.shape[:2]
    x, y = upper_left(canvas, 1000, 800, 0.5)
    wanted = expected(server, 1, x, y, 2 * width, 2 * height, 0.5)[:height, :width]
    # JPEG is near, and nowhere as near as at this place
    differs = [np.abs(np.roll(wanted, step, 1)[:, 5:-5] - canvas[:, 5:-5]).mean() for step in (0, -1, 1)]
    assert differs[0] < 4
    assert min(differs[1:]) > 2 * differs[0]


@pytest.mark.slow
def test_viewer_pans_and_zooms_by_keys_wheel_and_buttons(browser):
    look_at(browser, z=1)
    fitted = pixels_of(browser)
    assert "x=" not in browser.driver.current_url
    canvas = browser.one("canvas.top")
    browser.js("arguments[0].focus()", canvas)
    seen = [fitted]
    for keys in ("+", browser.keys.ARROW_LEFT, browser.keys.ARROW_DOWN, "-"):
        browser.send(keys)
        wait_for_blocks(browser)
        seen.append(pixels_of(browser))
        assert not np.array_equal(seen[-1], seen[-2])
    browser.wait(lambda: "scale=" in browser.driver.current_url)
    browser.button("One pixel of the stack as one of the screen").click()
    browser.wait(lambda: "scale=1&" in browser.driver.current_url + "&")
    wait_for_blocks(browser)
    at = [float(re.search(rf"[?&]{key}=([^&]+)", browser.driver.current_url)[1]) for key in "xy"]
    before = pixels_of(browser)
    browser.actions().drag_and_drop_by_offset(canvas, -100, 40).perform()
    wait_for_blocks(browser)
    after = pixels_of(browser)
    assert np.array_equal(after[40:, :-100], before[:-40, 100:])
    browser.wait(lambda: f"x={at[0] + 100:g}&y={at[1] - 40:g}" in browser.driver.current_url)
    browser.js("arguments[0].focus()", canvas)
    browser.send("0")
    wait_for_blocks(browser)
    assert np.array_equal(pixels_of(browser), fitted)
    browser.wait(lambda: "x=" not in browser.driver.current_url)
    assert browser.problems() == []


@pytest.mark.slow
def test_two_fingers_zoom_about_their_middle(browser):
    look_at(browser, z=1, x=800, y=700, scale=0.5)
    canvas = browser.one("canvas.top")
    browser.js(
        """const { left, top, width, height } = arguments[0].getBoundingClientRect();
        const finger = (kind, pointerId, dx) => arguments[0].dispatchEvent(new PointerEvent(kind, {
            pointerId, clientX: left + width / 2 + dx, clientY: top + height / 2, bubbles: true }));
        arguments[0].setPointerCapture = () => {};
        finger("pointerdown", 1, -50);
        finger("pointerdown", 2, 50);
        finger("pointermove", 1, -100);
        finger("pointermove", 2, 100);
        finger("pointerup", 1, -100);
        finger("pointerup", 2, 100);""",
        canvas,
    )
    browser.wait(lambda: "scale=1&" in browser.driver.current_url + "&")
    assert browser.text(".panel h2") == ""


@pytest.mark.slow
def test_viewer_goes_through_layers(browser, server):
    look_at(browser, z=1, x=800, y=700, scale=1)
    canvas = browser.one("canvas.top")
    browser.js("arguments[0].focus()", canvas)
    browser.send(browser.keys.PAGE_DOWN)
    browser.one(".map[data-z='2']")
    wait_for_blocks(browser)
    shown_pixels = pixels_of(browser)
    height, width = shown_pixels.shape[:2]
    assert np.array_equal(
        shown_pixels, expected(server, 2, *upper_left(shown_pixels, 800, 700), width, height)
    )
    slider = browser.one("#layer input[type=range]")
    browser.js("arguments[0].focus()", slider)
    browser.send(browser.keys.END)
    browser.one(".map[data-z='3']")
    assert slider.get_attribute("aria-valuetext") == "z 3"
    assert "layer 3 of 3" in browser.text("#layer")
    assert "z=3" in browser.driver.current_url
    assert "x=800&y=700&scale=1" in browser.driver.current_url
    browser.driver.back()
    browser.one(".map[data-z='2']")
    browser.send(browser.keys.PAGE_UP)
    browser.driver.back()
    browser.one(".map[data-z='1']")
    assert browser.problems() == []


@pytest.mark.slow
def test_intensities_are_applied_by_the_server(browser, server):
    look_at(browser, z=1, x=800, y=700, scale=1)
    browser.hosts()
    low, high = browser.all(".intensity input[type=number]")
    low.send_keys("80")
    high.send_keys("190")
    browser.wait(lambda: "minIntensity=80&maxIntensity=190" in browser.driver.current_url)
    wait_for_blocks(browser)
    canvas = pixels_of(browser)
    height, width = canvas.shape[:2]
    query = {"minIntensity": 80, "maxIntensity": 190}
    wanted = expected(server, 1, *upper_left(canvas, 800, 700), width, height, **query)
    assert np.array_equal(canvas, wanted)
    (left, right) = browser.all(".intensity input[type=range]")
    assert [left.get_attribute("value"), right.get_attribute("value")] == ["80", "190"]
    browser.button("Range of the tiles").click()
    browser.wait(lambda: "Intensity" not in browser.driver.current_url)
    wait_for_blocks(browser)
    assert np.array_equal(
        pixels_of(browser), expected(server, 1, *upper_left(canvas, 800, 700), width, height)
    )


@pytest.mark.slow
def test_channels_are_chosen_and_mixed(browser, server):
    from selenium.webdriver.support.ui import Select

    look_at(browser, renderStack="channels", z=1, x=900, y=900, scale=1)
    select = Select(browser.one(".controls select"))
    assert [option.text for option in select.options] == ["as the stack says", "GFP", "DAPI", "a mixture …"]
    assert set(np.unique(pixels_of(browser))) == {40}
    select.select_by_visible_text("GFP")
    browser.wait(lambda: "channels=GFP" in browser.driver.current_url)
    wait_for_blocks(browser)
    assert set(np.unique(pixels_of(browser))) == {200}
    select.select_by_visible_text("a mixture …")
    browser.wait(lambda: "channels=GFP__0.5__DAPI__0.5" in browser.driver.current_url)
    wait_for_blocks(browser)
    (value,) = np.unique(
        expected(server, 1, 600, 600, 9, 9, stack="channels", channels="GFP__0.5__DAPI__0.5")
    )
    assert abs(int(np.median(pixels_of(browser))) - value) <= 1
    browser.driver.refresh()
    browser.wait(lambda: browser.all(".controls fieldset:not([hidden]) input[type=range]"))
    weights = [
        float(node.get_attribute("value")) for node in browser.all(".controls label > input[type=range]")
    ]
    assert weights == [0.5, 0.5]


@pytest.mark.slow
def test_state_of_the_viewer_is_in_its_address(browser):
    given = {"x": 700, "y": 500.5, "scale": 0.75, "minIntensity": 20, "outlines": "true", "blocks": "true"}
    look_at(browser, z=2, **given)
    boxes = {box.accessible_name: box.is_selected() for box in browser.all(".controls [type=checkbox]")}
    assert boxes == {"Tile outlines": True, "Tile ids": False, "Blocks": True}
    base = browser.one("canvas.base")
    drawn = browser.ink(base)
    browser.all(".controls [type=checkbox]")[1].click()
    browser.wait(lambda: "ids=true" in browser.driver.current_url)
    assert browser.ink(base) != drawn
    browser.all(".controls [type=checkbox]")[0].click()
    browser.all(".controls [type=checkbox]")[1].click()
    browser.wait(
        lambda: "outlines" not in browser.driver.current_url and "ids" not in browser.driver.current_url
    )
    assert browser.ink(base)[0] < drawn[0] / 2
    # another stack is looked at in the same place
    browser.button("Show").click()
    browser.one(".map[data-z='2']")
    for part in ("x=700", "y=500.5", "scale=0.75", "minIntensity=20", "blocks=true"):
        assert part in browser.driver.current_url
    link = next(node for node in browser.all(".controls a") if node.text == "Matches of this layer")
    assert "tile-layer.html?" in link.get_attribute("href")
    assert "z=2" in link.get_attribute("href")


@pytest.mark.slow
def test_viewer_shows_nm_where_the_stack_has_a_resolution(browser, server):
    sizes = {"stackResolutionX": 4.0, "stackResolutionY": 8.0, "stackResolutionZ": 35.0}
    tile = TileSpec(tileId="only", z=1.0, width=4000, height=2000, sectionId="1.0")
    with renderapi.connect(url=server.url, owner="lab", project="sizes", web_only=True) as connection:
        for name, known in (("said", sizes), ("unsaid", {})):
            renderapi.stack.create_stack(name, render=connection, **known)
            renderapi.client.import_tilespecs(name, [tile], render=connection)
    for name, told in (
        ("said", r"x 2,0\d\d, y 1,0\d\d: tile only, section 1\.0 \(8\.\d+ µm, 8\.\d+ µm\)"),
        ("unsaid", r"x 2,0\d\d, y 1,0\d\d: tile only, section 1\.0"),
    ):
        browser.open("viewer", renderStackOwner="lab", renderStackProject="sizes", renderStack=name)
        browser.one(".map[data-z='1']")
        browser.point(browser.one("canvas.top"), 3, 3)
        assert re.fullmatch(told, browser.wait_text(".pointed", "tile only"))


@pytest.mark.slow
def test_viewer_names_the_tiles_under_the_pointer(browser, server):
    look_at(browser, z=1)
    canvas = browser.one("canvas.top")
    tiles = {box["tileId"]: box for box in server.data.get("lab/project/vision/stack/em/z/1/tileBounds")}
    browser.point(canvas, 5, 5)
    told = browser.wait_text(".pointed", "tile em1")
    x, y, ident = re.match(r"x (\S+), y (\S+): tile (\S+),", told).groups()
    x, y = (float(part.replace(",", "")) for part in (x, y))
    under = sorted((name for name in tiles if _in_box(tiles, name, x, y)), reverse=True)
    assert ident == under[0]
    assert all(name in told for name in under)
    browser.point(canvas, 5, 5, click=True)
    browser.wait_text(".panel h2", f"Tile {ident}")
    browser.one(".panel .picture canvas")
    (address,) = (link.get_attribute("href") for link in browser.all(".panel a") if link.text == "Tile spec")
    assert requests.get(address).json()["tileId"] == ident
    browser.js("arguments[0].focus()", canvas)
    browser.actions().key_down(browser.keys.SHIFT).send_keys(browser.keys.ARROW_RIGHT).key_up(
        browser.keys.SHIFT
    ).perform()
    browser.wait(lambda: browser.text(".panel h2") not in ("", f"Tile {ident}"))
    browser.send(browser.keys.ESCAPE)
    browser.wait_text(".panel:not(.controls)", "Choose a tile")


SLOW_FETCH = """const fetched = window.fetch;
window.asked = { now: 0, most: 0, aborted: 0, urls: [] };
window.hold = new Promise((resolve) => (window.release = resolve));
window.fetch = async (target, options) => {
  if (!String(target).includes("-image")) return fetched(target, options);
  asked.urls.push(String(target));
  asked.now += 1;
  asked.most = Math.max(asked.most, asked.now);
  try {
    await Promise.race([hold, new Promise((_, reject) => options.signal.addEventListener("abort", () => {
      asked.aborted += 1;
      reject(options.signal.reason);
    }))]);
    return await fetched(target, options);
  } finally {
    asked.now -= 1;
  }
};"""


@pytest.mark.slow
def test_blocks_are_few_at_once_and_given_up_when_out_of_sight(browser):
    look_at(browser, z=1)
    far = pixels_of(browser)
    browser.js(SLOW_FETCH)
    canvas = browser.one("canvas.top")
    browser.js("arguments[0].focus()", canvas)
    browser.send("+", "+", "+", "+")
    browser.wait(lambda: browser.js("return asked.now") == 4)
    # what is coarser stays until the finer blocks are there
    waiting = pixels_of(browser)
    assert waiting.mean() > far.mean() * 0.9
    assert waiting.std() > 10
    assert len(browser.js("return asked.urls")) == 4
    browser.send("0")
    browser.wait(lambda: browser.js("return [asked.now, asked.aborted]") == [0, 4])
    # what was seen before is still there
    assert np.array_equal(pixels_of(browser), far)
    browser.send("+", "+", "+", "+")
    browser.js("release()")
    wait_for_blocks(browser)
    counts = browser.js("return [asked.most, asked.urls.length, new Set(asked.urls).size]")
    assert counts[0] <= 4
    assert counts[1] - counts[2] <= 4
    size = [canvas.rect["width"], canvas.rect["height"]]
    # in sight, and a margin about it
    assert counts[2] <= (size[0] / 512 + 3) * (size[1] / 512 + 3) * 2
    assert all(
        re.search(r"/box/-?\d+%2C-?\d+%2C512%2C512%2C1/png-image", url)
        for url in browser.js("return asked.urls.slice(-3)")
    )
    assert browser.problems() == []


@pytest.mark.slow
def test_blocks_that_cannot_be_drawn_say_why(browser):
    look_at(browser, state="failed", renderStack="blind", z=1)
    told = browser.wait_text("[role=alert]", "Some blocks could not be drawn.")
    assert "imageUrl file '/etc/hostname' is not in an allowed folder" in told
    assert "--image-root" in told
    # in place, too
    assert pixels_of(browser).max() > 200
    browser.js(SLOW_FETCH + "release()")
    browser.button("Try again").click()
    browser.wait(lambda: browser.js("return asked.urls.length") > 0)
    wait_for_blocks(browser, "failed")
    browser.js("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    browser.button("Try again").click()
    browser.wait_text("[role=alert]", "The server did not answer.")


@pytest.mark.slow
def test_blocks_of_many_tiles_are_left_to_the_reader(browser):
    look_at(browser, z=1, maxTileSpecsToRender=3)
    told = browser.wait_text("#view [role=status]", "Blocks of more than 3 tiles show where the tiles are")
    assert "Come nearer" in told
    # boxes in a colour, where pixels are gray
    blue = pixels_of(browser)
    assert (blue[:, :, 2] - blue[:, :, 0]).max() > 20
    browser.button("Draw them all the same").click()
    browser.wait(lambda: "maxTileSpecsToRender=1000000" in browser.driver.current_url)
    wait_for_blocks(browser)
    gray = pixels_of(browser)
    assert (gray[:, :, 2] == gray[:, :, 0]).all()
    assert gray.std() > 20
    assert "Draw them" not in browser.text("#view")


@pytest.mark.slow
def test_viewer_of_a_stack_that_is_loaded_asks_for_new_images(browser):
    browser.open("viewer", **{**CHOSEN, "renderStack": "v11_align"})
    wait_for_blocks(browser)
    browser.js(
        """const real = window.fetch;
        window.modes = [];
        window.fetch = (target, options) => {
          modes.push(options.cache);
          return real(target, options);
        };"""
    )
    browser.button("Zoom in").click()
    browser.button("Zoom in").click()
    browser.button("Zoom in").click()
    browser.wait(lambda: browser.js("return modes.length > 0"))
    wait_for_blocks(browser)
    assert set(browser.js("return modes")) == {"reload"}
    assert browser.problems() == []


@pytest.mark.slow
def test_viewer_says_where_there_are_tiles(browser):
    browser.open("viewer", **EM, z=77)
    assert "The nearest layer is z 3." in browser.wait_text("#status", "There are no tiles at z 77.")
    assert browser.text(".map > output") == ""
    browser.button("Layer before").click()
    browser.one(".map[data-z='3']")
    wait_for_blocks(browser)
    assert pixels_of(browser).std() > 20


@pytest.mark.slow
def test_limit_of_the_server_is_not_mistaken_for_an_image(driven, server):
    with serve_background(
        image_roots=[server.folder], properties={"webService.maxTileSpecsToRender": "1"}
    ) as running:
        data = Data(running.url, server.folder / "any.png")
        data.stack("lab/project/vision/stack/em", montage(1), "COMPLETE")
        driven.look()
        driven.url = running.url
        driven.open("viewer", **EM)
        wait_for_blocks(driven)
        assert pixels_of(driven).mean() > 60


@pytest.mark.slow
def test_layer_page_shows_pixels_under_its_boxes(browser):
    look_at(browser, "tile-layer", z=1)
    pictured = pixels_of(browser)
    assert pictured.std() > 20
    images = browser.one("#tools label.check input")
    assert images.is_selected()
    browser.one("#tools input[type=search]").send_keys("em1_r1_c1", browser.keys.ENTER)
    browser.one(".panel .picture canvas")
    link = next(node for node in browser.all("#tools a") if node.text == "Open in the viewer")
    assert "viewer.html?" in link.get_attribute("href")
    assert "z=1" in link.get_attribute("href")
    images.click()
    browser.wait(lambda: pixels_of(browser).max() == 0)
    assert not browser.all(".map.pictured")
    images.click()
    wait_for_blocks(browser)
    assert np.array_equal(pixels_of(browser), pictured)
    assert browser.problems() == []


@pytest.mark.slow
def test_pages_with_boxes_do_without_images_that_cannot_be_read(browser):
    browser.open("tile-layer", **{**EM, "renderStack": "blind"}, z=1)
    told = browser.wait_text(".map", "Images are not shown.")
    assert "--image-root" in told
    assert not browser.one("#tools label.check input").is_selected()
    assert not browser.all(".map.pictured")
    browser.one("#tools label.check input").click()
    wait_for_blocks(browser, "failed")
    assert browser.one("#tools label.check input").is_selected()


@pytest.mark.slow
def test_explorer_shows_pixels_and_the_points_of_two_tiles(browser):
    for chosen, p in ((EM, 1), (CHOSEN, 2)):
        browser.open("point-match-explorer", **chosen, pZ=p, qZ=p + 1)
        browser.one(f".map[data-layers='{p},{p + 1}']")
        wait_for_blocks(browser)
        both = pixels_of(browser)
        half = both.shape[0] // 2
        # one layer is below the other, and both have pixels
        assert min(part.mean() for part in (both[:half], both[half:])) > 40
    browser.open("point-match-explorer", **EM, pZ=1, qZ=1)
    browser.one(".map[data-layers='1,1']")
    canvas = browser.one("canvas.top")
    browser.js("arguments[0].focus()", canvas)
    browser.send(browser.keys.ARROW_RIGHT)
    browser.wait_text(".panel h2", "Tile em1")
    name = browser.text(".panel h2").removeprefix("Tile ")
    opener = browser.all(".panel .partners li button")[1]
    opener.send_keys(browser.keys.ENTER)
    told = browser.wait_text("dialog [role=status]", "24 points")
    assert told == "24 points of weight 1."
    assert browser.text("dialog h2").startswith(f"{name} and em1")
    drawn = browser.one("dialog canvas")
    with_lines = browser.ink(drawn)
    assert with_lines[0] > 0.9
    browser.one("dialog input[type=checkbox]").click()
    assert browser.ink(drawn) != with_lines
    browser.send(browser.keys.ESCAPE)
    browser.wait(lambda: not browser.all("dialog"))
    assert browser.driver.switch_to.active_element == opener
    assert browser.problems() == []


@pytest.mark.slow
def test_many_tiles_and_stacks_stay_fluid(browser, server):
    data = server.data
    many = [
        tile(f"t{row:03d}_{column:03d}", 1, column * STEP, row * STEP)
        for row in range(100)
        for column in range(100)
    ]
    data.stack("big/project/p/stack/s0", many)
    for number in range(1, 1000):
        data.stack(f"big/project/p/stack/s{number}", [])
    chosen = {"renderStackOwner": "big", "renderStackProject": "p"}
    browser.open("stacks", **chosen)
    browser.wait_text("#stacks output", "1,000 stacks")
    sort = """const started = performance.now();
        document.querySelectorAll("thead button")[2].click();
        document.body.offsetHeight;
        return performance.now() - started"""
    assert sorted(browser.js(sort) for _ in range(5))[2] < 500
    assert browser.texts(NAMES)[:3] == ["s0", "s1", "s2"]
    assert len(browser.texts(NAMES)) == 200
    browser.button("Show 500 more").click()
    assert len(browser.texts(NAMES)) == 700
    browser.open("tile-layer", **chosen, renderStack="s0", z=1)
    browser.one(".map[data-z]")
    assert browser.js("return document.querySelectorAll(':not(option)').length") < 200
    frames = """const [kind, done] = arguments;
        const canvas = document.querySelector("canvas.top");
        const times = [];
        let last = performance.now();
        function step(now) {
          times.push(now - last);
          last = now;
          const at = { bubbles: true, cancelable: true, clientX: 200 + 10 * times.length, clientY: 450 };
          const Kind = kind === "wheel" ? WheelEvent : PointerEvent;
          canvas.dispatchEvent(new Kind(kind, { ...at, deltaY: -20 }));
          if (times.length < 30) requestAnimationFrame(step);
          else done(times.sort((a, b) => a - b)[15]);
        }
        requestAnimationFrame(step);"""
    # a quarter of a second would be no fun, but says nothing about a busy machine either
    assert browser.driver.execute_async_script(frames, "wheel") < 250
    assert browser.driver.execute_async_script(frames, "pointermove") < 100
    assert browser.problems() == []


@pytest.mark.slow
def test_pictures_of_the_documentation(browser, tmp_path):
    folder = Path(os.environ.get("DASHBOARD_PICTURES", tmp_path))

    def picture(name):
        browser.driver.execute_async_script(
            "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        )
        path = folder / f"{name}.png"
        with Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())) as taken:
            taken.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        assert 5_000 < path.stat().st_size < 700_000

    browser.look(1280, 900)
    look_at(browser, z=2, outlines="true", ids="true", x=970, y=760, scale=0.55)
    browser.point(browser.one("canvas.top"), 40, 60, click=True)
    browser.one(".panel .picture canvas")
    picture("dashboard_viewer")
    browser.look(1280, 980)
    shown(browser, "tile-layer", z=2)
    wait_for_blocks(browser)
    browser.one("#tools input[type=search]").send_keys("r3_c2", browser.keys.ENTER)
    browser.one(".panel .picture canvas")
    picture("dashboard_tile_layer")
    browser.look(1280, 980, dark=True)
    shown(browser, "point-match-explorer", pZ=2, qZ=3)
    browser.one(".map[data-layers='2,3']")
    wait_for_blocks(browser)
    picture("dashboard_explorer_dark")
    browser.look(390, 844)
    shown(browser, "stacks")
    picture("dashboard_stacks_phone")
