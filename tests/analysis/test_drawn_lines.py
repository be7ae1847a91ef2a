"""Lines of pieces: whichever way these run, gaps are closed and borders reached, but only near ones."""

import numpy as np
import pytest

from atomwork.analysis.drawn_lines import joined, to_border

LINE = np.stack([np.arange(5.0, 96.0), 20 + 0.5 * np.arange(5.0, 96.0)], 1)  # in an image of 100 x 120 px
PIECES = [LINE[:25], LINE[31:50], LINE[54:]]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("turned", [(1, 1, 1), (-1, 1, -1), (1, -1, 1)])
def test_pieces_become_the_line_they_are_of(order, turned):
    (line,) = joined([PIECES[k][:: turned[k]] for k in order], reach=10)
    line = line if line[0, 0] < line[-1, 0] else line[::-1]
    assert np.array_equal(line, np.concatenate(PIECES))


@pytest.mark.parametrize(("reach", "count"), [(3, 3), (6, 2), (8, 1)])
def test_only_narrow_gaps_are_closed(reach, count):
    """The gaps are 4 and 7 steps of 1.118 px, less one each."""
    assert len(joined(PIECES, reach)) == count


def test_pieces_side_by_side_and_at_right_angles_stay_apart():
    assert len(joined([LINE, LINE + (0, 6)], reach=10)) == 2
    assert len(joined([LINE, LINE[-1] + np.outer(np.arange(3, 30), (0.5, -1))], reach=10)) == 2


def test_no_piece_is_no_line():
    assert joined([], 5) == []


@pytest.mark.parametrize("turned", [1, -1])
def test_ends_are_led_to_the_border_along_the_line(turned):
    """The lower border is 4.5 px away and the upper one 5.5."""
    line = to_border(LINE[::turned], (100, 120), reach=12)[::turned]
    assert line[0] == pytest.approx([-0.5, 20 - 0.25])
    assert line[-1] == pytest.approx([99.5, 20 + 0.5 * 99.5])
    assert np.array_equal(line[1:-1], LINE)
    assert np.array_equal(to_border(LINE, (100, 120), reach=4), LINE)  # 6.1 and 5.0 px along it


def test_a_point_goes_nowhere():
    assert len(to_border(np.array([[1.0, 1.0]]), (100, 120), reach=9)) == 1
