"""`renderclientaccess`: what it fills in, and where the client script comes from."""

import pytest

import renderapi
from renderapi.client import utils
from renderapi.client.utils import renderclientaccess
from renderapi.errors import ClientScriptError


@renderclientaccess
def job(
    a, client_script=None, memGB=None, host=None, port=None, owner=None, project=None, render=None, **kwargs
):
    return {
        "client_script": client_script,
        "memGB": memGB,
        "host": host,
        "port": port,
        "owner": owner,
        **kwargs,
    }


@renderclientaccess
def small_job(a, client_script=None, render=None):
    return client_script


@renderclientaccess
def open_job(a, render=None, **kwargs):
    return kwargs


@pytest.fixture
def render(script):
    return renderapi.render.RenderClient(
        client_script=str(script.path), memGB="2G", host="http://h", port=1, owner="o", project="p"
    )


def test_everything_comes_from_the_connection(render, script):
    values = job(1, render=render)
    assert (values["client_script"], values["memGB"]) == (str(script.path), "2G")
    assert (values["host"], values["port"], values["owner"]) == ("http://h", 1, "o")
    assert values["session"] is render.session
    assert open_job(1, render=render)["client_script"] == str(script.path)
    assert small_job(1, render=render) == str(script.path)


def test_the_call_comes_before_the_connection(render, script, tmp_path):
    other = tmp_path / "other.sh"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o700)
    assert job(1, render=render, client_script=str(other), memGB="3G")["client_script"] == str(other)
    assert job(1, render=render, client_script=str(other), memGB="3G")["memGB"] == "3G"
    (tmp_path / "run_ws_client.sh").write_text("#!/bin/sh\n")
    (tmp_path / "run_ws_client.sh").chmod(0o700)
    assert job(1, render=render, client_scripts=str(tmp_path))["client_script"] == str(
        tmp_path / "run_ws_client.sh"
    )
    # what make_kwargs() gives is both
    assert job(1, **render.make_kwargs(client_scripts=str(tmp_path)))["client_script"] == str(script.path)


def test_the_environment_comes_last(script, monkeypatch):
    monkeypatch.setenv("RENDER_CLIENT_SCRIPTS", str(script.path.parent))
    monkeypatch.setenv("RENDER_CLIENT_HEAP", "5G")
    values = job(1, render=renderapi.render.Render("http://h", 1, "o", "p"))
    assert (values["client_script"], values["memGB"]) == (str(script.path), "5G")


def test_a_plain_connection_may_name_the_folder(script):
    render = renderapi.render.Render("http://h", 1, "o", "p", str(script.path.parent))
    assert job(1, render=render)["client_script"] == str(script.path)


@pytest.mark.parametrize("function", [job, small_job, open_job])
def test_without_a_script_it_is_said_how_to_configure_one(function):
    with pytest.raises(ClientScriptError, match="client_scripts=FOLDER"):
        function(1, render=renderapi.render.Render("http://h", 1, "o", "p"))
    with pytest.raises(ClientScriptError, match="client_scripts=FOLDER"):
        function(1)


def test_a_script_that_cannot_be_run_is_said_before_anything_is_done(script, tmp_path):
    with pytest.raises(ClientScriptError, match="not found"):
        job(1, client_script=str(tmp_path / "nothing.sh"))
    script.path.chmod(0o600)  # whether it runs is judged when it is run
    assert job(1, client_script=str(script.path))["client_script"] == str(script.path)


def test_a_connection_that_was_not_to_be_validated_is_believed(tmp_path):
    render = renderapi.render.RenderClient(
        client_script=str(tmp_path / "nothing.sh"), validate_client=False, host="h", port=1
    )
    assert job(1, render=render)["client_script"] == str(tmp_path / "nothing.sh")


def test_the_bare_function_is_there():
    assert job.__wrapped__(1, client_script="x")["client_script"] == "x"
    assert job.__name__ == "job"


def test_render_must_be_a_connection():
    with pytest.raises(ValueError, match="must be a renderapi Render"):
        job(1, render=3, client_script="/bin/sh")


def test_names_that_programs_import_from_here():
    assert utils.ClientScriptError is ClientScriptError
    assert utils.Render is renderapi.render.Render
    assert utils.RenderClient is renderapi.render.RenderClient
    assert callable(utils.fitargspec)
