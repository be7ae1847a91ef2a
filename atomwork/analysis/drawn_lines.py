"""Lines of a drawing from those pieces of them that are bright enough: joined where one goes on in the other."""

from itertools import combinations

import numpy as np


def joined(pieces, reach):
    """Lines of pieces that almost touch.

    Parameters
    ----------
    pieces : sequence of (N, 2) float arrays, vertices
    reach : float, the widest gap between two ends that is closed; the narrowest is closed first

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
    """Distance from the end of a line (N, 2) to the beginning of another."""
    return np.linalg.norm(first[-1] - second[0])
