"""Drawings as SVG: exchanges as sequence diagrams, and whose a page is when.

The site and the HTML report both show them.  A drawing leaves its colours to `drawing.css`, which
takes them from variables that the page defines.
"""

from pathlib import Path

STYLE = Path(__file__).with_name("drawing.css")
"""The style sheet of all drawings; its variables are those of the Furo theme."""
