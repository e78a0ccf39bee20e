"""Reading of drawn charts and pages by the parsers of the standard library."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


def texts(svg: str, kind: str | None = None) -> list[str]:
    """The texts that a chart shows, of a class if one is given."""
    return [
        "".join(element.itertext())
        for element in ElementTree.fromstring(svg).iter(f"{SVG}text")
        if kind in (None, element.get("class"))
    ]


def ticks(svg: str, axis: str) -> dict[str, float]:
    """Labels of an axis, `x` or `y`, and their pixels."""
    found = {}
    for element in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        if element.get("class") == axis:
            text = "".join(element.itertext())
            # A label of the vertical axis stands five units below its tick, to be level with it.
            at = element.get("data-at") if axis == "x" else float(element.get("y") or 0) - 5
            found[text] = float(at or 0)
    return found


def strokes(svg: str) -> list[list[tuple[float, float]]]:
    """The points of each stretch of each line of a chart, keys of the legend left out."""
    found = []
    for path in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        commands = path.get("d") or ""
        if "curve" not in (path.get("class") or "") or commands.endswith("h20"):
            continue
        for stretch in filter(None, commands.replace("h0", "").split("M")):
            pairs = (point.split() for point in stretch.split("L"))
            found.append([(float(across), float(down)) for across, down in pairs])
    return found


@dataclass
class Page(HTMLParser):
    """A page that was parsed: its texts by element, and the addresses that it loads."""

    content: str
    texts: dict[str, list[str]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.feed(self.content)
        self.close()
        assert not self._open, f"{self._open} are not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self._open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts[tag][-1] += data
