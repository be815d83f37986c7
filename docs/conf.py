"""Settings of the documentation: ``sphinx-build -W docs docs/_build``. It needs no network."""

import sys
from pathlib import Path

from renderapi import __version__

sys.path.insert(0, str(Path(__file__).parent))

project = "render-python"
author = "The render-python developers"
copyright = author
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "drawings",
    "matplotlib.sphinxext.plot_directive",
]
exclude_patterns = ["_build"]
# docstrings write names in single backticks
default_role = "py:obj"
highlight_language = "python"

html_theme = "furo"
html_title = f"render-python {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["docs.css"]
# of the palette of Okabe and Ito, which colour-blind eyes tell apart; brighter on dark ground
html_theme_options = {
    "light_css_variables": {
        "drawing-orange": "#e69f00",
        "drawing-blue": "#0072b2",
        "drawing-red": "#d55e00",
    },
    "dark_css_variables": {
        "drawing-orange": "#e69f00",
        "drawing-blue": "#56b4e9",
        "drawing-red": "#ff7f33",
    },
}

# the pictures of the gallery, each below the code that draws it; few inches wide, so that their words can be read
# on a telephone, and of enough pixels for a desktop
plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 160)]
plot_rcparams = {"figure.constrained_layout.use": True, "figure.figsize": (4.8, 3.7)}

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
