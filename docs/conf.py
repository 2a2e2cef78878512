"""How the site is built: `make docs`, from a fresh clone and without a network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
# The first so that the extension is found, the others so that the site shows this tree and not
# another one that happens to be installed.
sys.path[:0] = [
    str(HERE / "_ext"),
    *(str(HERE.parent / part) for part in (".", "spec", "conformance")),
]

import vhint  # noqa: E402 - only now is it this tree's
from vhint_conformance import drawing  # noqa: E402

project = "vhint"
author = "the vhint authors"
project_copyright = "the vhint authors, BSD-3-Clause"
version = release = vhint.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "vhint_docs"]
exclude_patterns = ["_build", "_ext"]
language = "en_GB"
default_role = "name"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "attrs_inline", "smartquotes"]
myst_heading_anchors = 3
myst_ref_domains = ["std"]

# An annotation of a class that two modules have leads to one of them.
suppress_warnings = ["ref.python"]
nitpicky = True
# What is ours has to resolve. Of the standard library, numpy and construct nothing is fetched.
# Type variables, private names and the machinery of the codecs have no page.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!vhint[._]).*"),
    (r"py:.*", r"vhint\..*\.(_\w+|[A-Z])"),
    (r"py:.*", r"vhint\.wire\.(source|records|leading_codec)\..*"),
    (r"py:.*", r"vhint\.guest\.tables\.(State|Step)"),
    (r"py:.*", r"vhint_conformance\.(?!oracle\.).*"),
]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_use_type_comments = False
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "vhint"
html_static_path = ["_static", str(drawing.STYLE)]
html_css_files = [drawing.STYLE.name, "vhint.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
templates_path = []
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "source_repository": "",
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0b5fa5", "color-brand-content": "#0b5fa5"},
    "dark_css_variables": {"color-brand-primary": "#6cb6ff", "color-brand-content": "#6cb6ff"},
}
