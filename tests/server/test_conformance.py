"""The conformance suite over both ways to the embedded server, and a full render-ws that RENDER_HOST names."""

import os
import re
from pathlib import Path

import pytest
import requests
from frameworks import Frameworks

import renderapi.testing
from renderapi.server import serve_background
from renderapi.server.http.memory import MemoryAdapter
from renderapi.testing import conformance

pytest_plugins = ["pytester", "renderapi.testing.plugin"]

HOST, PORT = os.environ.get("RENDER_HOST"), os.environ.get("RENDER_PORT", "8080")
OTHERS = [
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("frameworks", "newsolver")),
    *(["RENDER_HOST"] if HOST else []),
]
#: Over sockets all is asked for by the slow tests only: what answers is the same.
TARGETS = ["memory", pytest.param("socket", marks=pytest.mark.slow), *OTHERS]
#: What depends on how requests and answers travel.
over_sockets_too = pytest.mark.parametrize(
    "target", ["memory", "socket", *OTHERS], indirect=True, scope="module"
)

if HOST:

    @pytest.fixture(autouse=True, scope="session")
    def loopback_only():
        """Let the tests of this module reach the server that was named."""


@pytest.fixture(scope="module", params=TARGETS)
def target(request):
    """Return the address of a server, and a session that reaches it."""
    if request.param == "RENDER_HOST":
        with requests.Session() as session:
            address = HOST if "://" in HOST else f"http://{HOST}"
            yield f"{address}:{PORT}/render-ws", session
    elif request.param == "frameworks":
        with serve_background(transport="memory") as server, requests.Session() as session:
            session.mount(server.url, MemoryAdapter(Frameworks(server.app)))
            yield server.url, session
    elif request.param == "newsolver":
        with serve_background(transport="memory", compat="newsolver") as server, server.session() as session:
            yield server.url, session
    else:
        with serve_background(transport=request.param) as server, server.session() as session:
            # looking for proxies takes longer than most answers
            session.trust_env = False
            yield server.url, session


class Target:
    @pytest.fixture
    def render_url(self, target, request):
        left_out = {
            "frameworks": ("superset", "configurable"),
            "newsolver": ("master",),
            "RENDER_HOST": ("superset",),
        }
        for name in left_out.get(request.node.callspec.params["target"], ()):
            if request.node.get_closest_marker(f"render_{name}"):
                pytest.skip("a full render-ws may answer otherwise, or less")
        return target[0]

    @pytest.fixture
    def http(self, target):
        return target[1]


class TestCoordinates(Target, conformance.CoordinateConformance):
    pass


@over_sockets_too
class TestDeployment(Target, conformance.DeploymentConformance):
    pass


class TestDocuments(Target, conformance.DocumentConformance):
    pass


class TestHierarchical(Target, conformance.HierarchicalConformance):
    pass


@over_sockets_too
class TestImages(Target, conformance.ImageConformance):
    pass


class TestLayers(Target, conformance.RenderDataConformance):
    pass


class TestMatches(Target, conformance.MatchConformance):
    pass


@over_sockets_too
class TestMessages(Target, conformance.MessageConformance):
    pass


class TestResolving(Target, conformance.ResolvingConformance):
    pass


class TestStacks(Target, conformance.StackMetaDataConformance):
    pass


class TestStates(Target, conformance.StackStateConformance):
    pass


class TestTiles(Target, conformance.TileDataConformance):
    pass


class TestValidation(Target, conformance.ValidationConformance):
    pass


def documented():
    """Return the endpoints that the suite is meant to cover."""
    for line in Path(__file__).with_name("endpoints.txt").read_text().splitlines():
        _, method, path, *_ = line.split(" ")
        yield method, re.sub(r"{\w+(:\w+)?}", "{}", path)


def test_the_suite_calls_every_endpoint():
    called = set()
    for name in conformance.__all__:
        module = __import__(getattr(conformance, name).__module__, fromlist=["ENDPOINTS"])
        called |= {(c.method, re.sub(r"{\w+}", "{}", c.path)) for c in getattr(module, "ENDPOINTS", ())}
    # the kind of validation is part of the path
    assert called == set(documented())


def test_every_class_of_the_suite_is_run_here():
    run = {base for name, value in globals().items() if name.startswith("Test") for base in value.__mro__}
    assert {getattr(conformance, name) for name in conformance.__all__} <= run
    assert set(conformance.__all__) <= set(renderapi.testing.__all__)


def test_suite_and_plugin_in_another_program(pytester):
    """The fixture serves, what a shared server may do otherwise can be left out, an address is asked for."""
    pytester.makepyfile(
        """
        import pytest
        from renderapi.testing import DeploymentConformance, ServiceConformance

        class TestDeployment(DeploymentConformance):
            @pytest.fixture
            def render_url(self, render_server):
                return render_server.url

            @pytest.fixture
            def http(self, render_server):
                return render_server.session()

            def test_that_is_its_own(self, api):
                assert api.get("/owner/{owner}/projects") == []

        @pytest.fixture(scope="session")
        def render_server_image_roots(tmp_path_factory):
            return [tmp_path_factory.getbasetemp()]

        def test_images(render_server, tmp_path):
            assert tmp_path.is_relative_to(render_server.app.server.drawing.roots[0])

        class TestNowhere(ServiceConformance):
            def test_nothing(self, api):
                pass
        """
    )
    # by its name, which works whether or not the installed plugin is taken
    plugin = ("-p", "no:renderapi", "-p", "renderapi.testing.plugin")
    result = pytester.runpytest_inprocess(*plugin, "-m", "not render_configurable")
    result.assert_outcomes(passed=2, errors=1, deselected=4)
    result.stdout.fnmatch_lines("*TestNowhere does not say where the server is*")
