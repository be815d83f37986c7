"""Options that a Java version does not know are found in its jar before it runs."""

import zipfile

import pytest

from renderapi.client import ClientArgumentError, call_run_ws_client
from renderapi.client.java import options
from renderapi.client.java.options import check_options, find_jar, known_options

SECTION = "org.janelia.render.client.RenderSectionClient"
SIFT = "org.janelia.render.client.PointMatchClient"


def class_file(*texts):
    """The beginning of a class file: magic number, version and a pool of texts."""
    pool = b"".join(b"\x01" + len(text).to_bytes(2, "big") + text.encode() for text in texts)
    return b"\xca\xfe\xba\xbe\0\0\0\x34" + (len(texts) + 1).to_bytes(2, "big") + pool + b"\x07\0\x01"


def write_jar(path, classes):
    with zipfile.ZipFile(path, "w") as jar:
        for name, texts in classes.items():
            jar.writestr(f"{name}.class", class_file(*texts))
    return path


@pytest.fixture
def repository(tmp_path, script):
    """A folder laid out as render's repository, with the stand-in in its place."""
    scripts = tmp_path / "render" / "render-ws-java-client" / "src" / "main" / "scripts"
    scripts.mkdir(parents=True)
    script.path = scripts / "run_ws_client.sh"
    script.write("exit 0")
    target = tmp_path / "render" / "render-ws-java-client" / "target"
    target.mkdir()
    return target


NEW_SECTION_CLIENT = {
    f"{SECTION.replace('.', '/')}": ["org/janelia/alignment/RenderParameters", "--trap"],
    f"{SECTION.replace('.', '/')}$Parameters": [
        "--stack",
        "--convertToGray",
        "description of --notAnOption",
        "Lorg/janelia/render/client/parameter/RenderWebServiceParameters;",
        "Lorg/janelia/render/client/parameter/NotInTheJarParameters;",
    ],
    "org/janelia/render/client/parameter/RenderWebServiceParameters": [
        "--baseDataUrl",
        "--owner",
        "--project",
    ],
    "org/janelia/alignment/RenderParameters": ["--tile_spec_url"],
}


def test_options_are_read_from_the_parameter_classes_of_the_client(repository, script):
    write_jar(repository / "render-ws-java-client-4.0-standalone.jar", NEW_SECTION_CLIENT)
    known, source = known_options(SECTION, str(script.path))
    assert known == {"--stack", "--convertToGray", "--baseDataUrl", "--owner", "--project"}
    assert source == "render-ws-java-client-4.0-standalone.jar"
    check_options(SECTION, ["--convertToGray"], str(script.path))
    with pytest.raises(
        ClientArgumentError, match=r"RenderSectionClient of render-ws.*jar does not know --bounds"
    ):
        check_options(SECTION, ["--bounds", "1,2,3,4"], str(script.path))


def test_the_renderer_is_followed_to_its_parameters(tmp_path, monkeypatch):
    jar = write_jar(
        tmp_path / "r.jar",
        {
            "org/janelia/alignment/Render": ["org/janelia/alignment/ArgbRenderer"],
            "org/janelia/alignment/ArgbRenderer": ["org/janelia/alignment/RenderParameters"],
            "org/janelia/alignment/RenderParameters": ["--out", "--maskMinX"],
        },
    )
    monkeypatch.setenv("RENDER_CLIENT_JAR", str(jar))
    assert known_options("org.janelia.alignment.Render", None)[0] == {"--out", "--maskMinX"}


def test_a_jar_that_changes_is_read_again(tmp_path, monkeypatch):
    jar = tmp_path / "r.jar"
    monkeypatch.setenv("RENDER_CLIENT_JAR", str(jar))
    write_jar(jar, {f"{SECTION.replace('.', '/')}$Parameters": ["--one"]})
    assert known_options(SECTION, None)[0] == {"--one"}
    write_jar(jar, {f"{SECTION.replace('.', '/')}$Parameters": ["--another"]})
    assert known_options(SECTION, None)[0] == {"--another"}


def test_without_a_jar_the_master_branch_counts(script):
    known, source = known_options(SECTION, str(script.path))
    assert known == options.MASTER[SECTION]
    assert "master" in source


@pytest.mark.parametrize("content", [b"no jar", None])
def test_a_jar_that_tells_nothing_is_left_alone(tmp_path, monkeypatch, content):
    jar = tmp_path / "r.jar"
    if content is None:
        write_jar(jar, {"org/janelia/Other": ["--x"]})
    else:
        jar.write_bytes(content)
    monkeypatch.setenv("RENDER_CLIENT_JAR", str(jar))
    assert known_options(SECTION, None)[0] == options.MASTER[SECTION]


def test_which_jar_the_script_runs(repository, script, tmp_path, monkeypatch):
    assert find_jar(str(script.path)) is None
    first = write_jar(repository / "render-ws-java-client-1-standalone.jar", {})
    assert find_jar(str(script.path)) == first
    link = tmp_path / "link.sh"
    link.symlink_to(script.path)
    assert find_jar(str(link)) == first
    write_jar(repository / "render-ws-java-client-2-standalone.jar", {})
    assert find_jar(str(script.path)) is None
    monkeypatch.setenv("RENDER_CLIENT_JAR", str(tmp_path / "nothing.jar"))
    assert find_jar(str(script.path)) is None
    assert find_jar("/run.sh") is None


def test_an_unknown_option_is_reported_before_java_starts(script):
    with pytest.raises(
        ClientArgumentError, match="does not know --matchMaxEpsylon; did you mean --matchMaxEpsilon"
    ):
        call_run_ws_client(SIFT, ["--matchMaxEpsylon", 3], client_script=str(script.path))
    with pytest.raises(ClientArgumentError, match="does not know --zzzz; set RENDER_CLIENT_JAR"):
        call_run_ws_client(SIFT, ["--zzzz"], client_script=str(script.path))
    assert script.calls == []


def test_clients_without_a_function_of_their_own_are_not_looked_at(script):
    call_run_ws_client("org.janelia.render.client.BoxClient", ["--zzzz", 1], client_script=str(script.path))
    assert script.only_call()[2:] == ["--zzzz", "1"]
