"""A diagram that would mislead is refused: an arrow through a box looks like a connection."""

import pytest

from figures import Diagram


def column(*, around: float | None) -> Diagram:
    """Three boxes below each other, and an arrow from the first to the last."""
    d = Diagram()
    first, _, last = (d.box(name, 0, row) for row, name in enumerate(["norm", "mlp", "out"]))
    d.arrow(first, last, around=around)
    return d


def test_an_arrow_that_crosses_a_box_is_refused_with_both_names():
    with pytest.raises(ValueError, match=r"the arrow from 'norm' to 'out' crosses 'mlp'; lead it"):
        column(around=None)._repr_svg_()


def test_a_box_that_is_drawn_after_the_arrow_counts_too():
    d = Diagram()
    d.arrow(d.label("x", 0, 0), d.add(0, 2))
    d.box("norm", 0, 1)
    with pytest.raises(ValueError, match=r"the arrow from 'x' to '\+' crosses 'norm'"):
        d._repr_svg_()


def test_an_arrow_around_a_box_is_drawn():
    assert "M0,18L0,26L-104.4,26L-104.4,128L-52,128" in column(around=-0.9)._repr_svg_()


def test_an_arrow_back_up_through_its_own_start_is_refused():
    d = Diagram()
    top, bottom = d.box("top", 1, 0), d.box("bottom", 0, 1)
    d.arrow(bottom, top, around=0)
    with pytest.raises(ValueError, match=r"the arrow from 'bottom' to 'top' crosses 'bottom'"):
        d._repr_svg_()


def test_sides_that_touch_are_no_crossing():
    d = Diagram()
    left, right = d.box("left", 0, 0), d.box("right", 1, 0)
    d.arrow(left, right)
    d.arrow(d.label("x", 0, -1), left)
    assert d._repr_svg_().count('class="arrow"') == 2
