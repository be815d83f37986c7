"""The recorded answers of a real render-ws, asked for again; tests/data/real/README.md says what they are."""

import re
from dataclasses import dataclass

import pytest
from recorded import SECTIONS, Recording, Replay, make_images, request_line

from renderapi.server import serve_background

LIMIT = {"webService.maxTileSpecsToRender": "20"}
STACK = "/owner/{O}/project/p/stack/"


@dataclass(frozen=True)
class Choice:
    """Exchanges in which ours differs from the original on purpose; docs/server.rst has the decisions.

    Attributes
    ----------
    section : str
        Of the recording.
    times : int
        How many exchanges differ so; no more and no fewer.
    request : str
        Pattern of the whole request: method, path and query.
    note : str
        Pattern of the whole note of the exchange.
    aspect : str
        All that differs: status, json, order, text, ...
    ours : str
        Pattern of how our answer begins, with its status if that is the aspect.
    why : str
        The reason.
    """

    section: str
    times: int
    request: str
    note: str
    aspect: str
    ours: str
    why: str

    def covers(self, section, record, difference):
        return (section, difference.aspect) == (self.section, self.aspect) and all(
            (
                re.fullmatch(self.request, request_line(record)),
                re.fullmatch(self.note, record.get("note", ""), re.DOTALL),
                re.match(self.ours, difference.answered, re.DOTALL),
            )
        )


def exactly(method, path):
    """Make the pattern of a request to a path of a stack."""
    return re.escape(f"{method} {STACK}{path}")


def refused_tile(note, words, why, missing):
    """Make the choices of a tile that is refused, and afterwards is not there, with and without derived data."""
    for query in ("", "?deriveData=true"):
        put = exactly("PUT", f"tt/resolvedTiles{query}")
        yield Choice("tiles", 1, put, note, "status", words, why)
        after = re.escape(f"after {note} {query}")
        for path in missing:
            yield Choice(
                "tiles", 1, exactly("GET", f"tt/{path}"), after, "status", "404 (no )?tile spec", why
            )


ROOTS = "whether a file outside of the image roots is there is not told"
ROOTS_SAID = "imageUrl file '.*' is not in an allowed folder"
RENAMED = "a stack is not renamed to {}, which no request would reach; so it is still there"
UNNAMED = "a collection is not renamed to {}, which no request would reach; so it is still there"
FINITE = "z that is NaN or infinite is refused, because no request would find it; so it is not there"
NO_ID = "a tile without id is refused, because no request would find it; so it is not there"
SLASH = "a / in an id is an id"
NUL = "an id of any characters is found"
WARP = "the overlay of warp fields is not offered"
SPEC = "the filterSpec of a channel, which the newer branch knows, is kept"
JSON = "what is answered is JSON, whatever is in an id"
ORIGIN = "pages of other origins are let in by an option only"

CHOICES = [
    # names that no request would reach
    *(
        Choice("clones", times, exactly("PUT", "c3/stackId"), "", "status", ours, RENAMED)
        for times, ours in (
            (3, "400 owner, project and stack of the new"),
            (1, "400 .*'c3' already"),
            (1, "200 $"),
        )
    ),
    Choice("clones", 5, exactly("GET", "c3"), "after rename .*", "status", '200 .*"stack":"c3"', RENAMED),
    *(
        Choice("matches", 1, r"PUT /owner/{O}/matchCollection/c2/collectionId", "", "status", ours, UNNAMED)
        for ours in ("400 owner and name of the new", "500 the new", "400 .*'c2' already exists", "200 $")
    ),
    # numbers that are none
    Choice(
        "layers", 1, exactly("PUT", "v/z/NaN/tileIds"), "", "status", "400 z of tile 'a00' is nan", FINITE
    ),
    Choice("layers", 1, exactly("PUT", "v/section/1.1/z"), "", "status", "400 z of tile 'r2' is nan", FINITE),
    Choice("layers", 1, exactly("GET", "v/section/1.1/z"), "", "status", "200 9.0", FINITE),
    Choice("layers", 10, exactly("GET", "v/zValues"), "after .*", "json", r"(?!.*NaN)\[-1.0,", FINITE),
    Choice("layers", 1, exactly("GET", "v"), "", "json", '(?!.*NaN).*"maxZ":10.0', FINITE),
    Choice("layers", 1, exactly("GET", "v/sectionData"), "", "json", "(?!.*NaN)", FINITE),
    *refused_tile("tile: z NaN", "400 .* NaN", FINITE, ("resolvedTiles", "tile/t")),
    *refused_tile("tile: z infinite", "400 .* Infinity", FINITE, ("resolvedTiles", "tile/t")),
    *refused_tile("tile: no id", "400 .* has no tileId", NO_ID, ("resolvedTiles",)),
    # characters of ids
    Choice(
        "tiles",
        4,
        exactly("GET", "ids/") + "(tile|transform)/a%2Fb(?!.*validation).*",
        ".*",
        "status",
        "200 {",
        SLASH,
    ),
    Choice(
        "tiles",
        1,
        exactly("GET", "ids/tile/a%2Fb/validation-info"),
        ".*",
        "status",
        f"400 {ROOTS_SAID}",
        SLASH,
    ),
    Choice("tiles", 1, exactly("DELETE", "ids/tile/a%2Fb"), ".*", "status", "200 $", SLASH),
    Choice("tiles", 1, exactly("GET", "ids/tileIds"), "after deletion of 'a/b'", "json", r"\[\]", SLASH),
    Choice("tiles", 4, exactly("GET", "ids/") + "(tile|transform)/%00.*", ".*", "status", "200 {", NUL),
    Choice("tiles", 1, exactly("DELETE", "ids/tile/%00"), ".*", "status", "200 $", NUL),
    Choice("tiles", 1, exactly("PUT", "ids/tile-specs-with-ids"), r"id '\\x00'", "json", r"\[\]", NUL),
    Choice("tiles", 1, exactly("GET", "ids/tileIds"), r"after deletion of '\\x00'", "text", r"\[\]", NUL),
    *(
        Choice(
            "tiles", 1, exactly("GET", "ids/tileIds"), re.escape(f"id {one!r}"), aspect, re.escape(ours), JSON
        )
        for one, aspect, ours in (
            ('a"b', "text", r'["a\"b"]'),
            ("a\\b", "json", r'["a\\b"]'),
            ("a\tb", "text", r'["a\tb"]'),
            ("\0", "text", r'["\u0000"]'),
        )
    ),
    # files
    Choice(
        "layers", 2, exactly("GET", "w/tile/") + "(a00|poly)/validation-info", "", "text", ROOTS_SAID, ROOTS
    ),
    Choice(
        "tiles", 14, exactly("GET", "ids/tile/") + "[^/]*/validation-info", "id .*", "text", ROOTS_SAID, ROOTS
    ),
    Choice("validation", 1, r"PUT /owner/{O}/validate-json/tile", "", "text", f".*: {ROOTS_SAID}", ROOTS),
    Choice("pictures", 10, exactly("GET", "im/z/8/") + ".*-image.*", "", "text", ROOTS_SAID, ROOTS),
    Choice("pictures", 16, exactly("GET", "im/tile/out/") + ".*-image.*", "", "text", ROOTS_SAID, ROOTS),
    # what is not offered, and what is
    Choice(
        "pictures",
        4,
        exactly("GET", "im/z/") + "./box/0,0,150,100,0.5/png-image.maxTileSpecsToRender=-1",
        "",
        "status",
        "501 ",
        WARP,
    ),
    Choice(
        "pictures", 3, "PUT /owner/{O}/(png|jpeg|tiff)-image", "change .*WarpField.*", "status", "501 ", WARP
    ),
    *(
        Choice(
            "tiles",
            2,
            exactly("GET", f"tt/{path}"),
            "after tile: channel filters .*",
            "json",
            ".*filterSpec",
            SPEC,
        )
        for path in ("resolvedTiles", "tile/t")
    ),
    Choice(
        "protocol", 1, exactly("GET", "proto/zValues"), "", "status", "403 pages of http://elsewhere", ORIGIN
    ),
    Choice(
        "protocol", 2, exactly("OPTIONS", "proto/zValues"), "", "status", "403 pages of http://else", ORIGIN
    ),
    Choice("protocol", 1, "GET /versionInfo", "", "status", '200 {"git.build.version"', "versions are told"),
    Choice(
        "coordinates",
        1,
        r"PUT /owner/{O}/world-to-local-coordinates/10,12\?meshCellSize=0",
        "",
        "json",
        "a mesh cannot have a meshCellSize of 0",
        "words where the original has the hash of an object",
    ),
]


@pytest.fixture(scope="module", params=["memory", pytest.param("socket", marks=pytest.mark.slow)])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    digest = make_images(folder)
    with serve_background(transport=request.param, image_roots=[folder], properties=LIMIT) as running:
        yield running, folder, digest


@pytest.mark.parametrize("section", SECTIONS)
def test_answers_as_a_real_server(server, section):
    """Whatever differs is a choice, and every choice is one still."""
    running, folder, digest = server
    recording = Recording(section)
    assert recording.about["images"] == digest
    left = {choice: choice.times for choice in CHOICES if choice.section == section}
    unexplained = []
    for record, differences in Replay(recording, running, folder):
        for difference in differences:
            choice = next((one for one in left if one.covers(section, record, difference)), None)
            if choice is None:
                unexplained.append((request_line(record), record.get("note", ""), difference))
            else:
                left[choice] -= 1
    assert not unexplained
    assert not {choice: times for choice, times in left.items() if times}


def test_every_choice_has_a_section_and_a_reason():
    assert all(choice.section in SECTIONS and choice.why for choice in CHOICES)
