"""Lines from those pieces of them that were seen: joined where one goes on in the other, and led to the image's border."""

from itertools import combinations

import numpy as np

TURN = np.pi / 3  # between a piece, from end to end, and the way over a gap


def joined(pieces, reach):
    """Lines of pieces that almost touch.

    Parameters
    ----------
    pieces : sequence of (N, 2) float arrays, vertices
    reach : float, the widest gap between two ends that is closed, if neither piece turns by more than `TURN` there; the
        narrowest is closed first

    Returns
    -------
    list of (M, 2) float arrays
    """
    lines = [np.asarray(piece, float) for piece in pieces]
    while len(lines) > 1:
        pairs = {pair: end_to_end(*(lines[k] for k in pair)) for pair in combinations(range(len(lines)), 2)}
        pair = min(pairs, key=lambda pair: gap(*pairs[pair]))
        if gap(*pairs[pair]) > reach:
            break
        lines = [line for k, line in enumerate(lines) if k not in pair] + [np.concatenate(pairs[pair])]
    return lines


def end_to_end(first, second):
    """Two lines (N, 2), each turned so that the first ends where the second begins, or as near as may be."""
    return min(((first[::a], second[::b]) for a in (1, -1) for b in (1, -1)), key=lambda both: gap(*both))


def gap(first, second):
    """Distance from the end of a line (N, 2) to the beginning of another, infinite where that is no way on."""
    way, chords = second[0] - first[-1], (first[-1] - first[0], second[-1] - second[0])
    wide = np.linalg.norm(way)
    turned = any(chord @ way < np.cos(TURN) * np.linalg.norm(chord) * wide for chord in chords)
    return np.inf if turned else wide


def to_border(line, shape, reach):
    """A line with its ends led on to the border of an image where that is near.

    Parameters
    ----------
    line : (N, 2) float array, vertices within the image, (y, x) [px]
    shape : (2,) int, H and W of the image [px]
    reach : float, the longest way to the border that is gone, in the direction of as long a part of the line [px]

    Returns
    -------
    (M, 2) float array
    """
    return led_on(led_on(line, shape, reach)[::-1], shape, reach)[::-1]


def led_on(line, shape, reach):
    """A line (N, 2) whose last end is led to the border, see `to_border`."""
    end, line = line[-1], np.asarray(line, float)
    near = np.linalg.norm(line - end, axis=1) <= reach
    first = line[-1 - np.argmin(near[::-1]) if not near.all() else 0]
    way = end - first
    if not way.any():
        return line
    way = way / np.linalg.norm(way)
    borders = np.where(way > 0, np.array(shape) - 0.5, -0.5)
    steps = np.divide(borders - end, way, out=np.full(2, np.inf), where=way != 0)
    return np.concatenate([line, [end + steps.min() * way]]) if steps.min() <= reach else line
