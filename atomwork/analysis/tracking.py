"""Columns of a movie linked in time, its drift taken out: which column of one frame is which of the next."""

import numpy as np
import pandas as pd
from laptrack import LapTrack
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from atomwork.analysis import frame_drift

STEP = 0.45  # of the spacing, longest step of a column from frame to frame; from a half on a neighbour may be nearer [-]


def link(tables, *, max_step=None, max_gap=2, drifts=None):
    """Link the columns of successive frames: first from frame to frame, and then, each at the mean place of what it was linked
    to, once more, so that one that strayed far is not lost, and over gaps.

    Parameters
    ----------
    tables : sequence of DataFrame, the columns of each frame, see `detect.detect`; some may be empty
    max_step : float, longest step of a column beside the drift [px], below half the spacing, since a vacancy's neighbour would
        pass for what is missing; `STEP` of the spacing if None
    max_gap : int, most frames in a row in which a column may be missing
    drifts : DataFrame of `frame_drift.by_columns`; found if None

    Returns
    -------
    DataFrame : the rows of all tables with frame, track, which column it is, numbered as they appear, and y_still, x_still, its
        place in the first frame's coordinates [px]. ``attrs``: spacing, pixel_size, frames (how many) and drift, y, x of each

    Raises
    ------
    ValueError : no tables, unlike spacings or pixel sizes, max_step or max_gap outside its range, the drift of other frames

    References
    ----------
    Jaqaman et al., Nature Methods 5 (2008) 695; as in LapTrack, Fukai & Kawaguchi, Bioinformatics 39 (2023) btac799.
    """
    spacing = frame_drift.common_spacing(tables)
    max_step = STEP * spacing if max_step is None else float(max_step)
    if not 0 < max_step < spacing / 2:
        raise ValueError(
            f"max_step={max_step:g} px is not between 0 and {spacing / 2:.3g} px, half the spacing, from where on a neighbour "
            f"may pass for a missing column; give {STEP * spacing:.3g} px, for example."
        )
    if max_gap < 0 or int(max_gap) != max_gap:
        raise ValueError(f"max_gap={max_gap} is no number of frames; give 0, 1, 2, ….")
    offsets = (frame_drift.by_columns(tables) if drifts is None else drifts)[["y", "x"]].to_numpy(float)
    if len(offsets) != len(tables):
        raise ValueError(
            f"drifts has {len(offsets)} rows for {len(tables)} frames; give frame_drift.by_columns of these frames."
        )
    rows = stacked(tables)
    frame = rows["frame"].to_numpy()
    still = rows[["y", "x"]].to_numpy(float) - offsets[frame]
    tracks = assigned(still, frame, max_step**2)
    tracks = assigned(means(still, tracks)[tracks], frame, max_step**2, int(max_gap))
    rows = rows.assign(track=in_order(tracks, frame, still), y_still=still[:, 0], x_still=still[:, 1])
    rows.attrs = {"spacing": spacing, "pixel_size": common_pixel_size(tables), "source": tables[0].attrs.get("source")}
    rows.attrs |= {"frames": len(tables), "drift": offsets.tolist()}
    return rows


def common_pixel_size(tables):
    """Pixel size of the frames [Å], None if none states it; ValueError if they differ."""
    said = [table.attrs["pixel_size"] for table in tables if table.attrs.get("pixel_size")]
    if said and max(said) > min(said) * (1 + 1e-3):
        raise ValueError(f"pixel sizes differ, {min(said):g} to {max(said):g} Å; link frames of one magnification.")
    return said[0] if said else None


def stacked(tables):
    """The rows of all tables in one, with ``frame``."""
    parts = [table.assign(frame=k) for k, table in enumerate(tables) if len(table)] or [tables[0].assign(frame=0)]
    for part in parts:
        part.attrs = {}
    return pd.concat(parts, ignore_index=True)


def assigned(places, frame, cutoff, max_gap=0):
    """The track (N,) of each of the places (N, 2) in frames (N,), which rise, by linear assignment."""
    if not len(places):
        return np.zeros(0, int)
    starts = np.searchsorted(frame, np.arange(frame[-1] + 2))
    # two ends that stay apart cost as much as the longest step: whatever lies within it is linked, at the least cost in all
    ends = dict.fromkeys(("track_start_cost", "track_end_cost"), cutoff / 2)
    ends |= dict.fromkeys(("segment_start_cost", "segment_end_cost", "no_splitting_cost", "no_merging_cost"), cutoff)
    closing = {"gap_closing_cutoff": cutoff if max_gap else False, "gap_closing_max_frame_count": max_gap + 1}
    tree = LapTrack(cutoff=cutoff, **ends, **closing).predict(np.split(places, starts[1:-1]))
    edges = np.array([(starts[a] + i, starts[b] + j) for (a, i), (b, j) in tree.edges()], int).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(places),) * 2)
    return connected_components(graph, directed=False)[1]


def means(values, labels):
    """Mean of values (N, 2) under every label (N,) 0, 1, …: (M, 2)."""
    count = np.bincount(labels)
    return np.stack([np.bincount(labels, column) / count for column in values.T], -1)


def in_order(tracks, frame, places):
    """Tracks (N,) numbered by the frame of their first column, then by its y and x."""
    order = np.lexsort((*places.T[::-1], frame))
    _, first = np.unique(tracks[order], return_index=True)
    return np.argsort(np.argsort(first))[tracks]
