"""Looking into drawings."""

from xml.etree import ElementTree as ET

NAMESPACE = "{http://www.w3.org/2000/svg}"


def parse(picture: str) -> ET.Element:
    """Return the drawing in its frame; it is XML, an image with a title, and has a size."""
    frame = ET.fromstring(picture)  # noqa: S314 - our own
    drawing = frame.find(f"{NAMESPACE}svg")
    assert drawing is not None
    assert drawing.get("role") == "img"
    title = drawing.find(f"{NAMESPACE}title")
    assert title is not None
    assert title.text
    assert title.get("id") in (drawing.get("aria-labelledby") or "").split()
    assert float(drawing.get("width") or 0) > 0
    return drawing


def words(picture: str) -> list[str]:
    """Return everything that is written in a drawing, as text that can be read and found."""
    return [text.text or "" for text in parse(picture).iter(f"{NAMESPACE}text")]


def boxes(picture: str) -> list[tuple[float, float, float, float]]:
    """Return the place and size of every rectangle."""
    return [
        tuple(float(rect.get(name) or 0) for name in ("x", "y", "width", "height"))
        for rect in parse(picture).iter(f"{NAMESPACE}rect")
    ]
