"""The sites of a movie's lattice, found from its tracks: also those that were never occupied."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from atomwork.analysis.tracking import means
from atomwork.columns import borders, peaks, sublattices

MARGIN = 0.5  # spacings from the border within which a site can't be judged
SAME = 0.45  # spacings within which a track is of a site
FEWEST = 3  # frames that have to show a site
VOTES, AGREE = 5, 0.3  # of eight places around an empty site that have to tell it, and how well, over the spacing [-]


def of_tracks(linked, *, shape, least=0.5):
    """The lattice's sites in a movie: where columns are most of the time, and where the lattice of these has another one.

    Parameters
    ----------
    linked : DataFrame of `tracking.link`
    shape : (H, W) of the frames [px]
    least : float, share of the frames showing a place in which it has to have a column, to be one that tells the lattice [-]

    Returns
    -------
    DataFrame : y, x [px, in the first frame's coordinates], kind, the sublattice, brightest first

    Raises
    ------
    ValueError : fewer than 40 such places, or no lattice in them
    """
    spacing, track = linked.attrs["spacing"], linked["track"].to_numpy()
    order = np.argsort(-np.bincount(track), kind="stable")
    places = means(linked[["y_still", "x_still"]].to_numpy(float), track)[order]
    places = pd.DataFrame(places[peaks.suppress(places, SAME * spacing)], columns=["y", "x"])
    found, bright = columns_at(linked, places)
    seen = within(places, linked.attrs, shape)
    often = (seen.sum(0) >= min(FEWEST, len(seen))) & ((found & seen).sum(0) >= least * seen.sum(0))
    known = places[often].assign(amplitude=pd.DataFrame(bright).median()[often])
    lattice = sublattices.of_columns(known)
    known = known.assign(kind=lattice.labels)[["y", "x", "kind"]]
    every = pd.concat([known[lattice.labels >= 0], between(known, lattice.vectors, spacing)], ignore_index=True)
    enough = within(every, linked.attrs, shape).sum(0) >= min(FEWEST, len(seen))
    return every[enough].sort_values(["kind", "y", "x"], ignore_index=True)


def between(known, vectors, spacing):
    """Places without a site that are a lattice's step (2, 2) from several of one kind: DataFrame y, x, kind."""
    tree, tables = cKDTree(known[["y", "x"]]), []
    around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]) @ vectors
    for kind, own in known[known["kind"] >= 0].groupby("kind"):
        told = (own[["y", "x"]].to_numpy()[:, None] + around).reshape(-1, 2)
        told = told[tree.query(told)[0] > SAME * spacing]
        pairs = cKDTree(told).query_pairs(AGREE * spacing, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(told),) * 2)
        places = connected_components(graph, directed=False)[1]
        told = means(told, places)[np.bincount(places) >= VOTES]
        tables.append(pd.DataFrame(told, columns=["y", "x"]).assign(kind=kind))
    return pd.concat(tables, ignore_index=True)


def within(places, attrs, shape):
    """Which places lie well within which frames: (T, N) bool array."""
    margin, still = MARGIN * attrs["spacing"], places[["y", "x"]].to_numpy()
    return np.array([borders.within(still + step, shape, margin) for step in attrs["drift"]])


def columns_at(linked, places):
    """In which frames a place has a column, (T, N) bool array, and how bright that is, (T, N) float array [arb.] or NaN."""
    found = np.zeros((linked.attrs["frames"], len(places)), bool)
    bright, track = np.full(found.shape, np.nan), linked["track"].to_numpy()
    of_track = means(linked[["y_still", "x_still"]].to_numpy(float), track)
    distance, site = cKDTree(places[["y", "x"]]).query(of_track)
    near = (distance < SAME * linked.attrs["spacing"])[track]
    at = linked["frame"].to_numpy()[near], site[track[near]]
    found[at] = True
    if "amplitude" in linked:
        bright[at] = np.abs(linked["amplitude"].to_numpy(float)[near])
    return found, bright
