"""The decorator: what it fills into a call, what it warns of, and what it costs."""

import functools
import inspect
import subprocess
import sys
import time
import warnings

import pytest
import requests

from renderapi.errors import RenderWarning
from renderapi.http.access import CONNECTION_KEYWORDS, Connection, accepts, access, renderaccess
from renderapi.http.sessions import default_session
from renderapi.render import Render, RenderClient

RENDER = Render("http://h", 80, "o", "p", "/scripts")


@renderaccess
def endpoint(
    stack, z=None, host=None, port=None, owner=None, project=None, session=None, render=None, **kwargs
):
    """Tell what arrived."""
    return {name: value for name, value in locals().items() if name not in ("render", "kwargs")} | kwargs


def of_renderapi(f):
    """Return the function as one of the package's own, decorated."""
    f.__module__ = "renderapi.stack"
    return renderaccess(f)


@of_renderapi
def own_endpoint(stack, host=None, session=None, render=None, **kwargs):
    return kwargs


FILLED = {"host": "http://h", "port": 80, "owner": "o", "project": "p", "client_scripts": "/scripts"}


def test_settings_are_filled_in():
    arrived = endpoint("s", render=RENDER)
    assert arrived == {"stack": "s", "z": None, **FILLED, "session": RENDER.session}


def test_what_the_caller_gives_counts():
    with requests.Session() as session:
        arrived = endpoint("s", 3, owner="me", project="", session=session, render=RENDER)
    assert arrived == {"stack": "s", "z": 3, **FILLED, "owner": "me", "project": "", "session": session}


def test_settings_may_be_given_by_position():
    arrived = endpoint("s", 3, None, None, "me", None, render=RENDER)
    assert arrived == {"stack": "s", "z": 3, **FILLED, "owner": "me", "session": RENDER.session}
    assert endpoint("s", 3, "x", 1, "me", "mine", None, RENDER)["owner"] == "me"
    assert endpoint("s", 3, None, None, None, None, None, RENDER)["owner"] == "o"


def test_wrong_calls_fail_as_in_python():
    with pytest.raises(TypeError, match="multiple values for argument 'host'"):
        endpoint("s", 3, "h", host="h")
    with pytest.raises(TypeError, match="positional arguments"):
        endpoint(*range(20))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'stack'"):
        endpoint(render=RENDER)
    with pytest.raises(TypeError, match="unexpected keyword"):
        renderaccess(lambda host=None, render=None: None)(nonsense=1)


def test_without_a_connection_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("RENDER_HOST", "rh")
    monkeypatch.setenv("RENDER_OWNER", "ro")
    monkeypatch.setenv("DEFAULT_RENDER_OWNER", "do")
    monkeypatch.setenv("RENDER_PORT", "8080")
    monkeypatch.setenv("RENDER_PROJECT", "")
    arrived = endpoint("s", project=None)
    assert arrived == {
        "stack": "s", "z": None, "host": "rh", "port": 8080, "owner": "do", "project": None,
        "session": default_session(),
    }  # fmt: skip
    assert endpoint("s", host="mine")["host"] == "mine"


def test_keyword_only_settings_are_filled_in_too(monkeypatch):
    @renderaccess
    def f(*, host=None, owner=None, render=None):
        return host, owner

    assert f(render=RENDER) == ("http://h", "o")
    monkeypatch.setenv("RENDER_HOST", "rh")
    assert f() == ("rh", None)


def test_only_what_a_function_takes_is_filled_in():
    @renderaccess
    def f(x, owner=None, render=None):
        return x, owner, render

    assert f(1, render=RENDER) == (1, "o", RENDER)

    @renderaccess
    def bare(render=None):
        return render

    assert bare(render=RENDER) is RENDER
    assert renderaccess(lambda: 5)() == 5


def test_a_render_client_fills_in_its_script():
    client = RenderClient("/s/run", "2G", False, "http://h", 80, "o", "p")
    arrived = endpoint("s", render=client)
    assert (arrived["client_script"], arrived["memGB"]) == ("/s/run", "2G")
    assert endpoint("s", render=client, memGB="9G")["memGB"] == "9G"


def test_the_error_mode_goes_to_functions_that_have_one():
    returning = Render("http://h", 80, errors="return")

    @renderaccess
    def image(errors=None, render=None, **kwargs):
        return errors

    assert image(render=returning) == "return"
    assert image(render=returning, errors="raise") == "raise"
    assert image(render=RENDER) == "raise"
    assert "errors" not in endpoint("s", render=returning)


def test_a_session_of_the_caller_gets_the_settings_of_the_connection():
    with requests.Session() as session:
        assert endpoint("s", session=session, render=RENDER)["session"] is session
        used = endpoint("s", session=session, render=RENDER.options(timeout=3))["session"]
        assert (used.session, used.settings.timeout) == (session, 3)


def test_a_session_passed_on_is_not_wrapped_again():
    render = RENDER.options(timeout=3, retries=1)
    session = endpoint("s", render=render)["session"]
    assert endpoint("s", session=session, render=render)["session"] is session
    with requests.Session() as own:
        render = RENDER.options(timeout=3)
        view = endpoint("s", session=own, render=render)["session"]
        assert endpoint("s", session=view, render=render)["session"] is view


@pytest.mark.parametrize("render", [5, "http://h", {"host": "h"}, RENDER.make_kwargs(), Render, object()])
def test_only_a_connection_is_taken_for_one(render):
    with pytest.raises(ValueError, match="render must be a renderapi Render"):
        endpoint("s", render=render)


def test_the_bare_function_stays_within_reach():
    assert inspect.isfunction(endpoint.__wrapped__)
    assert endpoint.__wrapped__("s", host="mine", extra=1) == {
        "stack": "s", "z": None, "host": "mine", "port": None, "owner": None, "project": None,
        "session": None, "extra": 1,
    }  # fmt: skip
    assert str(inspect.signature(endpoint)) == str(inspect.signature(endpoint.__wrapped__))
    assert (endpoint.__name__, endpoint.__doc__) == ("endpoint", "Tell what arrived.")


def test_functions_of_any_number_of_arguments():
    @renderaccess
    def f(*args, host=None, render=None):
        return args, host

    assert f(1, 2, 3, render=RENDER) == ((1, 2, 3), "http://h")


def test_methods_and_partial_functions():
    class Program:
        @renderaccess
        def where(self, stack, host=None, render=None):
            return stack, host

    assert Program().where("s", None, RENDER) == ("s", "http://h")
    partial = renderaccess(functools.partial(endpoint.__wrapped__, "s"))
    assert partial(render=RENDER)["host"] == "http://h"


def test_an_own_way_to_complete_a_call():
    def complete(call, render, kwargs):
        kwargs["host"] = f"of {render!r}"

    f = access(lambda host=None, render=None: host, complete)
    assert f() == "of None"


def test_the_base_of_connections_fills_in_nothing():
    with pytest.raises(NotImplementedError):
        endpoint("s", render=Connection())
    with pytest.raises(NotImplementedError):
        Connection().session_for(None)


# --------------------------------------------------------------------------------------- unknown keywords


@pytest.mark.parametrize(
    ("keyword", "hint"),
    [
        ("rende", "did you mean render?"),
        ("ownr", "did you mean owner?"),
        ("stak", "did you mean stack?"),
        ("sesion", "did you mean session?"),
        ("nothing_like_it", None),
    ],
)
def test_an_unknown_keyword_gets_one_warning(keyword, hint):
    with pytest.warns(RenderWarning) as caught:
        assert keyword in own_endpoint("s", **{keyword: 1})
    assert len(caught) == 1
    message = str(caught[0].message)
    assert f"own_endpoint() does not know the keyword '{keyword}', which is ignored" in message
    assert message.endswith(hint) if hint else "did you mean" not in message
    assert caught[0].filename == __file__


def test_each_unknown_keyword_is_named():
    with pytest.warns(RenderWarning) as caught:
        own_endpoint("s", alpha=1, beta=2)
    assert len(caught) == 2


def test_connection_keywords_are_accepted_everywhere():
    client = RenderClient("/s/run", "2G", False, "http://h", 80, "o", "p", errors="return")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own_endpoint("s", **client.make_kwargs())
        own_endpoint("s", **dict.fromkeys(CONNECTION_KEYWORDS - {"render"}))
        own_endpoint("s", validate_client=False, memGB="2G", auth=None, web_only=True, render=client)


def test_declared_keywords_are_known():
    @of_renderapi
    @accepts("scale", "format")
    def image(host=None, render=None, **kwargs):
        return kwargs

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image(scale=2)["scale"] == 2
    with pytest.warns(RenderWarning, match=r"'scal'.*did you mean scale\?"):
        image(scal=2)


def test_functions_of_programs_get_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert endpoint("s", anything=1)["anything"] == 1


# ------------------------------------------------------------------------------------------------- cost


def best_of(n, run):
    times = []
    for _ in range(n):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def test_decoration_costs_next_to_nothing():
    render = RENDER.options(timeout=3)

    def f(stack, host=None, port=None, owner=None, project=None, session=None, render=None, **kwargs):
        pass

    decorated = of_renderapi(f)

    def calls():
        for _ in range(200):
            decorated("s", render=render)

    def looks_at_the_signature():
        for _ in range(200):
            inspect.signature(f)

    # 20,000 calls take 45 ms on a quiet machine; a ratio is the same on a busy one
    assert 3 * best_of(20, calls) < best_of(20, looks_at_the_signature)


def test_importing_connections_loads_nothing_heavy():
    code = (
        "import sys, types\n"
        "package = types.ModuleType('renderapi')\n"
        f"package.__path__ = {list(sys.modules['renderapi'].__path__)!r}\n"
        "sys.modules['renderapi'] = package\n"  # what else the package imports is not asked here
        "import renderapi.render\n"
        "heavy = {'multiprocessing', 'difflib', 'PIL', 'scipy', 'sqlite3', 'flask', 'jsonschema'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
