"""Figures of movies: every function draws on the Axes it is given and returns it."""

import numpy as np
import pandas as pd

from atomwork import figures

# Okabe and Ito's, which colour-blind eyes tell apart; without black, which is lost on an image
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
RING = 1.1  # diameter of a vacancy's ring, over the spacing
SHOWN = 40  # vacant sites beyond which their history names none


def in_time(frame_time):
    """A frame's time, or 1, and the unit that times are then in."""
    return (frame_time, "s") if frame_time else (1.0, "frames")


def draw_tracks(ax, micrograph, linked, frame, *, events=None, frame_time=None):
    """One frame with a dot on each column, in the colour that its track has in all frames, and its vacancies ringed.

    Parameters
    ----------
    micrograph : Micrograph, of the frame
    linked : DataFrame of `tracking.link`
    frame : int
    events : DataFrame of `lifetimes.events`, or None
    frame_time : float [s], or None
    """
    figures.draw_image(ax, micrograph)
    own = linked[linked["frame"] == frame]
    figures.draw_columns(ax, own, color=[COLORS[track % len(COLORS)] for track in own["track"]])
    title = f"frame {frame}" + (f", {frame * frame_time:.3g} s" if frame_time else "") + f": {len(own)} columns"
    if events is not None:
        now = events[(events["begin"] <= frame) & (events["end"] >= frame)]
        y, x = (now[["y", "x"]].to_numpy() + linked.attrs["drift"][frame]).T
        size = np.clip(RING * linked.attrs["spacing"] * figures.points_per_pixel(ax), 4, 20)
        ax.scatter(x, y, s=size**2, facecolors="none", edgecolors="white", linewidths=2.6)
        ax.scatter(x, y, s=size**2, facecolors="none", edgecolors="#d55e00", linewidths=1.4)
        title += f", {len(now)} vacancies"
    ax.set_title(title, fontsize=10)
    height, width = micrograph.image.shape
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))  # rings at the border reach beyond it
    return ax


def draw_drift(axes, drifts, *, pixel_size=None, frame_time=None):
    """How far a movie has drifted, and its steps with three standard deviations; on two Axes.

    Parameters
    ----------
    drifts : DataFrame of `frame_drift.by_columns`
    pixel_size, frame_time : float [Å], [s], or None
    """
    (scale, length), (unit, time) = ((pixel_size, "Å") if pixel_size else (1.0, "px")), in_time(frame_time)
    whole, steps = axes
    moved = scale * drifts[["y", "x"]].to_numpy()
    whole.plot(moved[:, 1], moved[:, 0], color="0.6", lw=1, zorder=1)
    dots = whole.scatter(moved[:, 1], moved[:, 0], c=unit * drifts["frame"], cmap="viridis", s=25)
    whole.figure.colorbar(dots, ax=whole, label=f"time [{time}]", shrink=0.8)
    whole.set(xlabel=f"x [{length}]", ylabel=f"y [{length}]", title="drift since the first frame")
    whole.set_aspect("equal", adjustable="datalim")
    whole.margins(0.1)
    whole.invert_yaxis()
    for axis, color, marker in (("y", COLORS[4], "o"), ("x", COLORS[5], "s")):
        error = 3 * scale * drifts[f"d{axis}_std"]
        style = {"color": color, "marker": marker, "ms": 4, "lw": 1, "capsize": 2}
        steps.errorbar(unit * drifts["frame"], scale * drifts[f"d{axis}"], error, label=f"{axis}, ± 3σ", **style)
    steps.axhline(0, color="0.8", lw=0.8, zorder=0)
    typical = scale * np.nanmedian(drifts[["dy_std", "dx_std"]])
    title = f"steps, one standard deviation {typical:.2g} {length}"
    steps.set(xlabel=f"time [{time}]", ylabel=f"step from frame to frame [{length}]", title=title)
    steps.legend(frameon=False)
    return axes


def draw_history(ax, occupancy, *, frame_time=None):
    """When each site that was ever vacant was so, and when it was out of sight, in rows by its first vacancy."""
    unit, time = in_time(frame_time)
    vacant = np.nan_to_num(occupancy.vacant) > 0.5
    ever = np.flatnonzero(vacant.any(0))
    ever = ever[np.lexsort((-vacant[:, ever].sum(0), vacant[:, ever].argmax(0)))]
    shades = np.where(np.isnan(occupancy.vacant), 1, np.where(vacant, 2, 0))[:, ever].T
    ends = unit * np.array([-0.5, len(vacant) - 0.5])
    palette = np.array([[255, 255, 255], [205, 205, 205], [213, 94, 0]], np.uint8)
    if len(ever):
        ax.imshow(palette[shades], extent=(*ends, len(ever) - 0.5, -0.5), aspect="auto", interpolation="nearest")
    for row in range(len(ever) - 1 if len(ever) <= SHOWN else 0):
        ax.axhline(row + 0.5, color="0.85", lw=0.5)
    for name, color in (("vacant", "#d55e00"), ("out of sight", "#cdcdcd")):
        ax.plot([], [], "s", color=color, label=name)
    ax.set(xlabel=f"time [{time}]", ylabel="site", title=f"{len(ever)} of {vacant.shape[1]} sites were vacant")
    named = ever if len(ever) <= SHOWN else []
    ax.set_yticks(range(len(named)), [str(site) for site in named], fontsize=6)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=2, frameon=False, fontsize=8)
    return ax


def draw_survival(ax, found, kind, *, frame_time=None):
    """Kaplan and Meier's curve of one kind of vacancies with its band, and exponential decay of their mean lifetime.

    Parameters
    ----------
    found : lifetimes.Lifetimes
    kind : int, the sublattice
    frame_time : float [s] that ``found`` was measured with, or None
    """
    _, time = in_time(frame_time)
    curve, numbers = found.curves[kind], found.table.loc[kind]
    events = found.events[(found.events["kind"] == kind) & found.events["begun"]]
    censored = events.loc[~events["ended"], "frames"] * (frame_time or 1.0)
    last = max(curve["time"].max(), censored.max() if len(censored) else 0)
    steps = pd.concat([curve, curve.tail(1).assign(time=last)])
    style = {"step": "post", "color": COLORS[4], "alpha": 0.2, "lw": 0}
    ax.fill_between(steps["time"], steps["low"], steps["high"], label="95 % band", **style)
    ax.step(steps["time"], steps["surviving"], where="post", color=COLORS[4], label="Kaplan–Meier")
    level = np.interp(censored, *step_points(steps))
    ax.plot(censored, level, "|", color=COLORS[4], ms=9, label=f"{len(censored)} cut off")
    if np.isfinite(numbers["mean"]):
        grid = np.linspace(0, last, 200)
        label = f"exponential, {numbers['mean']:.3g} ± {numbers['mean_std']:.2g} {time}"
        ax.plot(grid, np.exp(-grid / numbers["mean"]), "--", color=COLORS[5], label=label)
    ax.set(xlabel=f"lifetime [{time}]", ylabel="share of vacancies that live longer [-]", ylim=(0, 1.03), xlim=(0, None))
    title = f"sublattice {kind}: {len(events)} of {numbers['vacancies']:.0f} vacancies are seen to begin"
    ax.set_title(title + f", {len(events) - len(censored)} of these to end", fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    return ax


def step_points(curve):
    """Times and levels of a curve that steps, as a line that `numpy.interp` reads."""
    time, level = curve["time"].to_numpy(), curve["surviving"].to_numpy()
    return np.repeat(time, 2)[1:], np.repeat(level, 2)[:-1]
