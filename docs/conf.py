"""Settings of the documentation: ``sphinx-build -W docs docs/_build``. It needs no network."""

from renderapi import __version__

project = "render-python"
author = "The render-python developers"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
# docstrings write names in single backticks
default_role = "py:obj"
highlight_language = "python"

html_theme = "furo"
html_title = f"render-python {release}"
html_copy_source = False

autosummary_generate = False
autodoc_member_order = "bysource"
# types are in the parameter lists, with shapes and units
autodoc_typehints = "none"
autodoc_default_options = {"show-inheritance": True}
numpydoc_show_class_members = False


def _keep_bars(app, what, name, obj, options, lines):
    """Let docstrings write ``|p - q|`` for absolute values; here bars would name a substitution."""
    lines[:] = [line if "`" in line else line.replace("|", "\\|") for line in lines]


def setup(app):
    """Connect what prepares docstrings."""
    app.connect("autodoc-process-docstring", _keep_bars)
