"""Charts: what they say is read from their ticks, as a person would."""

import math
from xml.etree import ElementTree

import drawn
import numpy as np
import pytest

from recipes.runs.chart import BUCKETS, Line, chart
from recipes.runs.history import Series

NAN = math.nan


def series(values: list[float], every: int = 10) -> Series:
    return Series(np.arange(1, len(values) + 1) * every, np.array(values, float))


def line(values: list[float]) -> str:
    return chart([Line("loss", series(values))], title="a run", unit="nats")


def read(svg: str, axis: str, pixel: float, *, is_log: bool = False) -> float:
    """The value at a pixel, between the first two labels of an axis."""
    labels = [(float(text.split()[-1]), at) for text, at in drawn.ticks(svg, axis).items()]
    (first, start), (second, end) = labels[0], labels[-1]
    share = (pixel - start) / (end - start)
    if is_log:
        return first * (second / first) ** share
    return first + (second - first) * share


def test_a_point_is_where_the_ticks_say() -> None:
    svg = line([3.7, 2.9, 2.2, 2.4])
    (points,) = drawn.strokes(svg)
    assert [read(svg, "x", across) for across, _ in points] == pytest.approx(
        [10, 20, 30, 40], abs=0.05
    )
    assert [read(svg, "y", down) for _, down in points] == pytest.approx(
        [3.7, 2.9, 2.2, 2.4], abs=0.005
    )


def test_values_over_more_than_a_decade_are_on_a_logarithmic_axis() -> None:
    svg = line([9.0, 0.3, 0.02])
    (points,) = drawn.strokes(svg)
    found = [read(svg, "y", down, is_log=True) for _, down in points]
    assert found == pytest.approx([9.0, 0.3, 0.02], rel=0.01)
    assert drawn.texts(svg, "unit") == ["nats, log scale"]


@pytest.mark.parametrize("values", [[4.2, 1.3], [4.0, 0.0], [4.0, -1.0]])
def test_other_values_are_on_a_linear_axis(values: list[float]) -> None:
    assert drawn.texts(line(values), "unit") == ["nats"]


def test_a_value_that_is_not_finite_is_a_gap() -> None:
    stretches = drawn.strokes(line([3.0, 2.5, NAN, 2.0, NAN, 1.5, 1.4]))
    assert [len(stretch) for stretch in stretches] == [2, 1, 2]


def test_a_point_alone_between_gaps_is_a_dot() -> None:
    assert "h0" in line([3.0, NAN, 2.0, NAN, 1.5, 1.4])


@pytest.mark.parametrize("values", [[], [NAN], [NAN, NAN, NAN]])
def test_without_a_value_the_chart_says_so(values: list[float]) -> None:
    svg = line(values)
    assert "nothing measured yet" in drawn.texts(svg)
    assert drawn.strokes(svg) == []


@pytest.mark.parametrize("value", [2.0, 0.0, -3.0, 1e-30, 1e30])
def test_one_value_is_drawn_inside_of_the_axes(value: float) -> None:
    (((across, down),),) = drawn.strokes(line([value]))
    assert 0 < across < 600
    assert 0 < down < 400


def test_long_lines_keep_their_extremes_and_gaps_in_few_points() -> None:
    values = 2.0 + np.sin(np.arange(60_000) / 900.0) / 2.0
    values[12_345], values[50_001], values[30_000] = 5.0, 1.0, NAN
    svg = line(values.tolist())
    first, second = drawn.strokes(svg)
    points = first + second
    assert len(points) <= 3 * BUCKETS
    heights = [read(svg, "y", down) for _, down in points]
    assert max(heights) == pytest.approx(5.0, abs=0.02)
    assert min(heights) == pytest.approx(1.0, abs=0.02)
    assert [across for across, _ in points] == sorted(across for across, _ in points)


def test_the_lowest_point_has_a_ring_that_says_what_it_is() -> None:
    svg = chart(
        [Line("validation", series([3.0, 1.25, 2.0]), marks=True)], title="a run", unit="nats"
    )
    circles = list(ElementTree.fromstring(svg).iter(f"{drawn.SVG}circle"))
    said = {"".join(circle.itertext()): circle.get("class") for circle in circles}
    assert said["validation: 1.25 at step 20"] == "best"
    assert list(said.values()).count("point") == 2


def test_names_are_escaped_and_have_no_character_that_xml_lacks() -> None:
    name = "<script>&\"'\x00\x1b\ud800"
    lines = [Line(name, series([2.0, 1.0]), marks=True)]
    svg = chart(lines, title=name, unit="nats")
    (key,) = drawn.texts(svg, "key")
    assert key == "<script>&\"'␀␛\ufffd"
    assert svg.encode().decode() == svg


def test_names_that_are_too_long_for_the_chart_are_cut() -> None:
    svg = chart([Line("y" * 300, series([2.0]))], title="x" * 300, unit="nats")
    assert all(len(text) < 50 for text in drawn.texts(svg))
    assert ElementTree.fromstring(svg).findtext(f"{drawn.SVG}title") == "x" * 300


def test_lines_with_one_colour_have_other_dashes() -> None:
    lines = [Line(str(number), series([2.0, 1.0]), color=number) for number in range(24)]
    paths = ElementTree.fromstring(chart(lines, title="", unit="")).iter(f"{drawn.SVG}path")
    looks = {
        (path.get("stroke"), path.get("stroke-dasharray")) for path in paths if path.get("stroke")
    }
    assert len(looks) == 24


def test_keys_of_the_legend_do_not_leave_the_chart_or_stand_on_each_other() -> None:
    lines = [Line(f"quick-20261126-17400{n}", series([2.0]), color=n) for n in range(7)]
    svg = ElementTree.fromstring(chart(lines, title="", unit=""))
    keys = [text for text in svg.iter(f"{drawn.SVG}text") if text.get("class") == "key"]
    places = [(float(key.get("y") or 0), float(key.get("x") or 0)) for key in keys]
    assert len(set(places)) == 7
    # 12.3 units for a character of the larger font.
    lengths = [12.3 * len("".join(key.itertext())) for key in keys]
    assert max(x + length for (_, x), length in zip(places, lengths, strict=True)) < 600
