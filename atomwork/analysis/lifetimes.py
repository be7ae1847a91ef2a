"""When each site of a movie's lattice was vacant, and how long vacancies live."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import CensoredData, ecdf, median_abs_deviation

from atomwork.analysis import lattice_sites
from atomwork.columns import occupancies

COLUMN, DIM, NONE, UNSEEN = 0, 1, 2, -1  # what a frame shows of a site
# chances of being occupied or vacant at first, after being occupied, and after being vacant; of what shows of either
START = ((0.98, 0.02), (0.995, 0.005), (0.1, 0.9), (0.975, 0.005, 0.02), (0.02, 0.3, 0.68))
# how often each is thought to have happened before: nothing is impossible, a vacancy hardly shows a column, and lives for some
# frames rather than for one, which a column that was not found explains as well
PRIOR = ((0.5, 0.5), (0.5, 0.5), (0.5, 4.5), (0.5, 0.5, 0.5), (0.5, 10.0, 10.0))
FREE = tuple((row, k) for row, of in enumerate(START) for k in range(len(of)) if of[k] < max(of))
NUDGE = 0.05  # of a logarithm of odds, over which the likelihood's bend is measured
LONGEST, AROUND = 60, 30  # frames of the longest gap in question, and of what is around it
BAND = 0.95  # confidence of the band about a curve


@dataclass(frozen=True)
class Occupancy:
    """Which sites were vacant in which frames.

    Attributes
    ----------
    sites : DataFrame, y, x [px, in the first frame's coordinates], kind, the sublattice, brightest first
    shown : (T, N) int array, `COLUMN`, `DIM` or `NONE`, `UNSEEN` where the site is not well within the frame
    vacant : (T, N) float array, probability of being vacant [0–1]; NaN where unseen
    rates : DataFrame by kind, NaN where nothing tells them: recall, share of the columns that are found, dim, of these of those
        that look dim, false, share of the vacancies where a full column is found [-]; appearing, healing, chances from frame to
        frame [-]; healing_std, of the logarithm of healing's odds; shortest, frames of the shortest gap that is told
    """

    sites: pd.DataFrame
    shown: np.ndarray
    vacant: np.ndarray
    rates: pd.DataFrame


@dataclass(frozen=True)
class Lifetimes:
    """How long vacancies live.

    Attributes
    ----------
    events : DataFrame with a row for each vacancy: site, kind, y, x [px, in the first frame's coordinates], begin, end, its
        first and last frame, frames, seconds (NaN without a frame's time), begun, ended, whether the movie shows that, border,
        whether the image's border hides it
    table : DataFrame by kind: sites, vacancies, begun, ended, how many; mean, counted and their standard deviations mean_std,
        counted_std [s, or frames], see `measure`
    curves : dict, kind -> DataFrame, time [s, or frames], surviving, low, high [-], Kaplan and Meier's curve with its 95 % band
    """

    events: pd.DataFrame
    table: pd.DataFrame
    curves: dict


def occupancy(linked, sites, *, shape):
    """Which sites were vacant when: a hidden Markov chain of two states, whose chances are those that explain the movie best.

    A column that is fainter than its kind by as much as in `odd_columns` is dim. A gap or dim column is a vacancy where that is
    likelier than one that was not found or looks dim by chance, as often as the movie itself says that this happens.

    Parameters
    ----------
    linked : DataFrame of `tracking.link`
    sites : DataFrame of `lattice_sites.of_tracks`, or others with y, x [px, in the first frame's coordinates] and kind
    shape : (H, W) of the frames [px]

    Returns
    -------
    Occupancy
    """
    found, bright = lattice_sites.columns_at(linked, sites)
    shown = np.where(found, COLUMN, NONE)
    for kind in np.unique(sites["kind"]):
        own = np.flatnonzero(sites["kind"] == kind)
        shown[:, own] = np.where(dim(bright[:, own]), DIM, shown[:, own])
    return decided(np.where(lattice_sites.within(sites, linked.attrs, shape), shown, UNSEEN), sites)


def dim(bright):
    """Which columns of a kind (T, N) are fainter than the others in their frame, like a defect: (T, N) bool array."""
    excess = bright / pd.DataFrame(bright).median(axis=1).to_numpy()[:, None] - 1
    spread = median_abs_deviation(excess, axis=None, scale="normal", nan_policy="omit")
    return excess < -max(occupancies.ODD * spread, occupancies.MISSING)


def decided(shown, sites):
    """The `Occupancy` by what frames show of sites (T, N); see `occupancy`."""
    vacant, rows = np.where(shown == UNSEEN, np.nan, 0.0), {}
    names = ["recall", "dim", "false", "appearing", "healing", "healing_std", "shortest"]
    for kind in np.unique(sites["kind"]):
        own, rows[kind] = np.flatnonzero(sites["kind"] == kind), {}
        if len(shown) > 1 and (shown[:, own] > COLUMN).any():
            chances, error = fitted(shown[:, own])
            vacant[:, own] += explained(shown[:, own], chances)[2]
            rows[kind] = told(chances) | {"healing_std": error} if (vacant[:, own] > 0.5).any() else {}
    return Occupancy(sites, shown, vacant, pd.DataFrame(rows.values(), index=pd.Index(rows, name="kind"), columns=names))


def told(chances):
    """Rates by name, see `Occupancy`."""
    _, occupied, vacant, of_column, of_vacancy = chances
    gaps = np.full((LONGEST + 2 * AROUND, LONGEST), COLUMN)
    for k in range(LONGEST):
        gaps[AROUND : AROUND + k + 1, k] = NONE
    whole = ((explained(gaps, chances)[2] > 0.5) | (gaps == COLUMN)).all(0)
    rates = {"recall": 1 - of_column[NONE], "dim": of_column[DIM] / (1 - of_column[NONE]), "false": of_vacancy[COLUMN]}
    rates |= {"appearing": occupied[1], "healing": vacant[0]}
    return rates | {"shortest": 1 + int(whole.argmax()) if whole.any() else np.nan}


def fitted(shown):
    """The chances that explain best what is shown of sites (T, N), as in `START`, and the error of the log odds of healing."""
    columns, weight = np.unique(shown, axis=1, return_counts=True)

    def cost(logits):
        given = chances(logits)
        likelihood, counts, _ = explained(columns, given, weight)
        counts = [count + before for count, before in zip(counts, PRIOR, strict=True)]
        likelihood += sum(np.log(row) @ before for row, before in zip(given, PRIOR, strict=True))
        return -likelihood, -np.array([counts[row][k] - counts[row].sum() * given[row][k] for row, k in FREE])

    start = [np.log(START[row][k] / max(START[row])) for row, k in FREE]
    best = minimize(cost, start, jac=True, method="BFGS", options={"gtol": 1e-3}).x
    bend = np.array([cost(best + step)[1] - cost(best - step)[1] for step in NUDGE * np.eye(len(FREE))]) / (2 * NUDGE)
    healing = FREE.index((2, 0))
    return chances(best), float(np.sqrt(np.linalg.inv((bend + bend.T) / 2)[healing, healing]))


def chances(logits):
    """Rows of probabilities, as in `START`, from logarithms of their ratios to the entry that is largest there."""
    rows = [np.zeros(len(of)) for of in START]
    for (row, k), value in zip(FREE, logits, strict=True):
        rows[row][k] = value
    return [np.exp(log_softmax(row)) for row in rows]


def explained(shown, given, weight=None):
    """How well chances explain what is shown of sites (T, N) of some weight (N,), forwards and backwards.

    Rabiner, Proc. IEEE 77 (1989) 257.

    Returns
    -------
    likelihood : float, its logarithm
    counts : list of arrays as in `START`, how often each may be expected to have happened
    vacant : (T, N) float array, probability [0–1]
    """
    initial, step = given[0], np.array(given[1:3])
    weight = np.ones(shown.shape[1]) if weight is None else weight
    fits = np.stack([np.append(row, 1.0) for row in given[3:]], -1)[shown]  # (T, N, 2), 1 where unseen
    forth, back, scale = np.empty_like(fits), np.ones_like(fits), np.empty((*shown.shape, 1))
    for k, fit in enumerate(fits):
        forth[k] = (forth[k - 1] @ step if k else initial) * fit
        scale[k] = forth[k].sum(1, keepdims=True)
        forth[k] /= scale[k]
    for k in range(len(fits) - 2, -1, -1):
        back[k] = (fits[k + 1] * back[k + 1] / scale[k + 1]) @ step.T
    moves = np.einsum("n,tni,tnj->ij", weight, forth[:-1], fits[1:] * back[1:] / scale[1:]) * step
    state = forth * back
    shows = [np.where(shown == what, weight, 0).ravel() @ state.reshape(-1, 2) for what in (COLUMN, DIM, NONE)]
    return float((np.log(scale[..., 0]) @ weight).sum()), [weight @ state[0], *moves, *np.transpose(shows)], state[..., 1]


def measure(occupancy, *, frame_time=None):
    """How long vacancies live, in seconds if a frame's time is known, else in frames.

    ``mean`` is that of exponential lifetimes which end with the chance ``healing`` of `Occupancy`: with every column found, the
    time at risk over the number of ends, less half a frame. ``counted`` is the same by the frames of ``events`` that are long
    enough to be told. Neither depends on how many of them the movie or the border cuts off; both are NaN if none ends. Curves
    are of vacancies that are seen to begin: Kaplan & Meier, J. Am. Stat. Assoc. 53 (1958) 457.

    Parameters
    ----------
    occupancy : Occupancy
    frame_time : float, from one frame to the next [s]; None if unknown

    Returns
    -------
    Lifetimes

    Raises
    ------
    ValueError : frame_time isn't positive
    """
    if frame_time is not None and not 0 < frame_time < np.inf:
        raise ValueError(f"frame_time={frame_time} s must be positive; give None for lifetimes in frames.")
    unit, found, rows = frame_time or 1.0, events(occupancy, frame_time), {}
    kinds = {kind: found[found["kind"] == kind] for kind in occupancy.rates.index}
    for kind, own in kinds.items():
        rates = occupancy.rates.loc[kind]
        mean = lifetime(rates["healing"], rates["healing_std"]) if own["ended"].any() else (np.nan, np.nan)
        times = unit * np.concatenate([mean, counted(own, rates["shortest"])])
        rows[kind] = {"sites": int((occupancy.sites["kind"] == kind).sum()), "vacancies": len(own)}
        rows[kind] |= {name: int(own[name].sum()) for name in ("begun", "ended")}
        rows[kind] |= dict(zip(("mean", "mean_std", "counted", "counted_std"), times.tolist(), strict=True))
    table = pd.DataFrame(rows.values(), index=pd.Index(rows, name="kind"))
    return Lifetimes(found, table, {kind: curve(own[own["begun"]], unit) for kind, own in kinds.items()})


def events(occupancy, frame_time=None):
    """The vacancies of an `Occupancy`; see `Lifetimes`."""
    seen, empty = occupancy.shown != UNSEEN, np.nan_to_num(occupancy.vacant) > 0.5
    edge = np.zeros((1, empty.shape[1]), bool)
    change = np.diff(np.concatenate([edge, empty, edge]).astype(int), axis=0).T
    (site, begin), end = np.nonzero(change == 1), np.nonzero(change == -1)[1] - 1
    around, length = np.concatenate([edge, seen, edge]), end - begin + 1
    begun, ended = around[begin, site], around[end + 2, site]
    border = (~begun & (begin > 0)) | (~ended & (end < len(seen) - 1))
    table = occupancy.sites.iloc[site][["kind", "y", "x"]].reset_index(drop=True).assign(begin=begin, end=end, frames=length)
    table.insert(0, "site", site)
    return table.assign(seconds=length * (frame_time or np.nan), begun=begun, ended=ended, border=border)


def lifetime(healing, std):
    """Mean of exponential lifetimes that end with a chance per frame, whose log odds have an error, with its error [frames]."""
    return np.array([-1 / np.log1p(-healing), std * healing / np.log1p(-healing) ** 2])


def counted(events, shortest):
    """The same by those of `events` that last ``shortest`` frames or more, from then on."""
    own = events[events["frames"] >= shortest]
    ends, risk = int(own["ended"].sum()), float((own["frames"] - shortest + own["ended"]).sum())
    return lifetime(ends / risk, np.sqrt(1 / ends + 1 / (risk - ends))) if 0 < ends < risk else np.full(2, np.nan)


def curve(events, unit):
    """Kaplan and Meier's curve of events whose begin is known; see `Lifetimes`."""
    table = pd.DataFrame({"time": [0.0], "surviving": 1.0, "low": 1.0, "high": 1.0})
    if not events["ended"].any():
        return table
    surviving = ecdf(CensoredData.right_censored(unit * events["frames"].to_numpy(float), ~events["ended"].to_numpy())).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where all or none survive the band isn't defined; the last one holds
        band = surviving.confidence_interval(BAND, method="log-log")
    steps = surviving.quantiles, surviving.probabilities, band.low.probabilities, band.high.probabilities
    table = pd.concat([table, pd.DataFrame(dict(zip(table, steps, strict=True)))], ignore_index=True).ffill()
    return table.assign(low=table[["low", "surviving"]].min(axis=1))
