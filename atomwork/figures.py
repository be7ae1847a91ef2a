"""Publishable figures: every function draws on the Axes it is given and returns it."""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from atomwork.columns import matching

SHOWN = (0.5, 99.7)  # percentiles of the grey range
DOT, MAP_DOT = 0.35, 0.8  # diameter of a column's dot over the spacing, in overlays and in maps
RINGS = ("#ff3b30", "#0a84ff", "#30d158", "#ff9f0a", "#bf5af2")  # of kinds of defects
SIGNS = "osD^v"  # of the same, for eyes that tell few colours


def draw_scale_bar(ax, pixel_size):
    """A scale bar of a round length, about a fifth of the image's width; in pixels if ``pixel_size`` [Å] is None."""
    low, high = sorted(ax.get_xlim())
    target = (high - low) * (pixel_size or 1) / 5
    decade = 10 ** np.floor(np.log10(target))
    length = max(step * decade for step in (1, 2, 5) if step * decade <= target)
    label = f"{length:g} px" if not pixel_size else f"{length / 10:g} nm" if length >= 10 else f"{length:g} Å"
    bar = AnchoredSizeBar(
        ax.transData,
        length / (pixel_size or 1),
        label,
        "lower left",
        color="white",
        frameon=True,
        size_vertical=(high - low) / 120,
        pad=0.3,
        borderpad=0.5,
    )
    bar.patch.set(facecolor="black", alpha=0.55, edgecolor="none")
    ax.add_artist(bar)
    return ax


def draw_image(ax, micrograph, scale_bar=True):
    """The image in grey with a scale bar, without axes."""
    low, high = np.percentile(micrograph.image, SHOWN)
    ax.imshow(micrograph.image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    ax.set_axis_off()
    return draw_scale_bar(ax, micrograph.pixel_size) if scale_bar else ax


def draw_columns(ax, columns, color="#ff3b30", values=None, cmap="viridis", limits=None, diameter=DOT):
    """A dot on every column, in one colour or coloured by ``values``, ``diameter`` in spacings.

    The mappable is ``ax.collections[-1]``.
    """
    size = diameter * columns.attrs.get("spacing", 10) * points_per_pixel(ax)
    style = {"c": color} if values is None else {"c": values, "cmap": cmap}
    if limits is not None:
        style |= {"vmin": limits[0], "vmax": limits[1]}
    ax.scatter(columns["x"], columns["y"], s=np.clip(size, 1.2, 12) ** 2, linewidths=0, **style)
    return ax


def points_per_pixel(ax):
    """Points on paper for a pixel of the image that Axes show."""
    return ax.get_window_extent().width / abs(np.subtract(*ax.get_xlim())) * 72 / ax.figure.dpi


def draw_overlay(ax, micrograph, columns):
    """The image with a red dot on every column."""
    draw_image(ax, micrograph)
    draw_columns(ax, columns)
    ax.set_title(f"{micrograph.name}: {len(columns)} columns")
    return ax


def draw_agreement(ax, frame, found, name):
    """A labelled frame with what a detector found: hits as dots, missed columns ringed, false ones crossed; F1 above.

    Parameters
    ----------
    frame : LabelledFrame
    found : DataFrame with columns y, x, or (N, 2) array [px]
    name : str, of the detector
    """
    match, places = frame.agreement(found), matching.as_points(found)
    hit, missed = np.zeros(len(places), bool), np.ones(len(frame.columns), bool)
    hit[match.pairs[:, 0]], missed[match.pairs[:, 1]] = True, False
    draw_image(ax, frame)
    size = 0.4 * (frame.spacing if np.isfinite(frame.spacing) else 10)
    size = np.clip(size * points_per_pixel(ax), 3, 10)
    style = {"linestyle": "none", "markersize": size}
    ax.plot(*places[hit].T[::-1], ".", color="#30d158", linestyle="none", markersize=0.7 * size, markeredgewidth=0)
    ax.plot(*frame.columns[missed].T[::-1], "o", markerfacecolor="none", markeredgecolor="#ff9f0a", **style)
    ax.plot(*places[match.judged & ~hit].T[::-1], "x", color="#ff3b30", **style)
    ax.set_title(f"{name}: F1 {match.f1:.3f}", fontsize=10)
    return ax


def draw_scores(ax, table, by="group", value="f1"):
    """A score of every detector for every group; see `comparison.pooled`."""
    groups = list(dict.fromkeys(table[by]))
    for number, (name, scores) in enumerate(table.groupby("detector", sort=False)):
        style = {"marker": "osD^vP*X"[number % 8], "markersize": 8 - number % 3, "color": f"C{number}"}
        ax.plot(scores[value], [groups.index(group) for group in scores[by]], linestyle="none", label=name, **style)
    ax.set(yticks=range(len(groups)), yticklabels=groups, xlim=(-0.02, 1.02), xlabel=f"{value.replace('f1', 'F1')} [-]")
    ax.set_ylim(len(groups) - 0.5, -0.5)
    ax.grid(axis="y", color="0.9")
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def draw_defects(ax, micrograph, found):
    """An image with its point defects ringed in a colour for each kind, its fronts drawn, and no-crystal hatched.

    Parameters
    ----------
    micrograph : Micrograph
    found : DefectMap
    """
    draw_image(ax, micrograph)
    size = np.clip(1.1 * found.spacing * points_per_pixel(ax), 5, 20)
    for number, (kind, points) in enumerate(found.points.groupby("kind")):
        style = {"facecolors": "none", "edgecolors": RINGS[number % len(RINGS)], "linewidths": 1.2}
        style["marker"] = SIGNS[number % len(SIGNS)]
        ax.scatter(points["x"], points["y"], s=size**2, label=kind, **style)
    for front in found.fronts:
        ax.plot(front[:, 1], front[:, 0], color="#ffd60a", linewidth=1.5)
    if found.labels is not None and (found.labels == 0).any():
        hatched = ax.contourf(found.labels == 0, [0.5, 1.5], colors="none", hatches=["////"])
        hatched.set(edgecolor="#64d2ff", linewidth=0)
    if len(found.points):
        ax.legend(loc="upper right", fontsize=8, framealpha=0.8)
    ax.set_title(f"{micrograph.name}: point defects {len(found.points)}, fronts {len(found.fronts)}", fontsize=10)
    return ax


def draw_phases(ax, micrograph, found, table):
    """An image tinted by phase, with each one's share of the area; see `phases.areas` for the table."""
    draw_image(ax, micrograph)
    if found.labels is not None:
        tint = np.ma.masked_equal(found.labels, 0)
        ax.imshow(tint, cmap="Set1", vmin=1, vmax=9, alpha=0.35, interpolation="nearest")
    shares = ", ".join(f"phase {int(phase)}: {share:.1%}" for phase, share in zip(table["phase"], table["share"], strict=True))
    ax.set_title(shares, fontsize=10)
    return ax


def draw_map(ax, micrograph, columns, values, label, cmap="viridis"):
    """Columns coloured by a quantity over the faint image, with a colour bar; the colours span 2–98 %."""
    draw_image(ax, micrograph)
    finite = values[np.isfinite(values)]
    limits = np.percentile(finite, [2, 98]) if len(finite) else (0, 1)
    draw_columns(ax, columns, values=values, cmap=cmap, limits=limits, diameter=MAP_DOT)
    ax.figure.colorbar(ax.collections[-1], ax=ax, label=label, shrink=0.8)
    return ax


def draw_histogram(ax, values, label):
    """Histogram of a quantity with its median."""
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [0.5, 99.5]) if len(finite) else (0, 1)
    ax.hist(finite, bins=60, range=(low, max(high, low + 1e-9)), color="#4878a8")
    ax.set(xlabel=label, ylabel="columns")
    ax.locator_params(axis="x", nbins=5)
    if len(finite):
        ax.axvline(np.median(finite), color="black", lw=1, label=f"median {np.median(finite):.4g}")
        ax.legend(frameon=False)
    return ax


def draw_confidence(ax, confidence):
    """The network's map, dark to bright for 0 to 1."""
    shown = ax.imshow(confidence, cmap="magma", vmin=0, vmax=1)
    ax.set_axis_off()
    ax.figure.colorbar(shown, ax=ax, label="confidence", shrink=0.8)
    return ax


def draw_specimen(ax, specimen):
    """The truth about a specimen: columns coloured by their species, defects ringed, boundaries as lines; lengths in Å."""
    height, width = specimen.size
    brightest = specimen.columns["strength"].max()
    for name, columns in specimen.columns.groupby("species"):
        size = 40 * np.sqrt(columns["strength"] / brightest)
        ax.scatter(columns["x"], columns["y"], s=size, linewidths=0, label=name)
    for kind, defects in specimen.defects.groupby("kind"):
        ax.scatter(defects["x"], defects["y"], s=90, facecolors="none", edgecolors="black", linewidths=0.8)
        for defect in defects.itertuples():
            ax.annotate(kind, (defect.x, defect.y), xytext=(6, 4), textcoords="offset points", fontsize=7)
    for boundary in specimen.boundaries:
        ax.plot(boundary.points[:, 1], boundary.points[:, 0], "k--", linewidth=1, label=boundary.kind)
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", xlabel="x [Å]", ylabel="y [Å]", title=specimen.name)
    ax.legend(frameon=True, loc="upper right", fontsize=8)
    return ax


def draw_profiles(ax, micrographs, row, labels):
    """Intensity along one row of pixels of several images, each over its brightest value there; lengths in Å."""
    for micrograph, label in zip(micrographs, labels, strict=True):
        profile = micrograph.image[row]
        ax.plot(np.arange(len(profile)) * micrograph.pixel_size, profile / profile.max(), label=label)
    ax.set(xlabel="x [Å]", ylabel="intensity over the brightest")
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(labels))
    return ax


def draw_curves(axes, metrics, pairs):
    """Training and validation curves.

    Parameters
    ----------
    axes : sequence of Axes, one per pair
    metrics : DataFrame of `models.training.train`
    pairs : sequence of (label, list of columns of ``metrics``)
    """
    for ax, (label, names) in zip(axes, pairs, strict=True):
        for name in names:
            curve = metrics[["step", name]].dropna()
            ax.plot(curve["step"], curve[name], marker=".", label=name)
        ax.set(xlabel="step", ylabel=label)
        ax.legend(frameon=False)
    return axes


def draw_crops(axes, crops):
    """Crops of each of K domains (K, B, 1, H, W) in a row, on (K, ≥ B) Axes, all at the grey levels −1…1."""
    for row, of_one in zip(axes, crops, strict=True):
        for ax, crop in zip(row, of_one, strict=False):
            ax.imshow(np.asarray(crop)[0], cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        for ax in row:
            ax.set_axis_off()
    return axes


def draw_stages(axes, stages, source):
    """What a model drew of crops at several stages, and its grey levels beside those of the domain that it should be of.

    Parameters
    ----------
    axes : (2 + 2S, B + 1) array of Axes, two rows for the crops themselves and for each stage
    stages : dict of (2, B, 1, H, W) arrays by stage, domain 0 drawn as domain 1 and the other way round
    source : (2, B, 1, H, W) array or tensor, the crops
    """
    source, levels = np.asarray(source), np.linspace(-1.6, 1.6, 65)
    for number, (name, crops) in enumerate({"given": source, **{f"stage {k}": drawn for k, drawn in stages.items()}}.items()):
        rows = axes[2 * number : 2 * number + 2]
        draw_crops(rows, crops)
        for k, ax in enumerate(rows[:, -1]):
            ax.set_axis_on()
            ax.hist(source[k if name == "given" else 1 - k].ravel(), levels, density=True, color="0.8", label="real")
            if name != "given":
                ax.hist(crops[k].ravel(), levels, density=True, histtype="step", color="C3", label="drawn")
            ax.set(yscale="log", ylim=(1e-3, None), xlabel="grey level [-]")
            ax.legend(fontsize=7)
            made = ("images", "drawings") if name == "given" else ("images as drawings", "drawings as images")
            rows[k, 0].set_title(f"{name}: {made[k]}", fontsize=9, loc="left")
    return axes


def draw_drift(axes, drift, pixel_size=None):
    """Where the rows of every frame (n, H, 2) lie, and how they move within each frame, y solid and x dashed; on two Axes."""
    scale, unit = (pixel_size, "Å") if pixel_size else (1.0, "px")
    whole, within = axes
    for number, path in enumerate(scale * np.asarray(drift)):
        color, moved = plt.get_cmap("viridis")(number / len(drift)), path - path.mean(0)
        whole.plot(path[:, 1], path[:, 0], color=color, linewidth=2)
        whole.annotate(str(number), path[0, ::-1], xytext=(4, 4), textcoords="offset points", color=color)
        within.plot(moved[:, 0], color=color, label=f"frame {number}")
        within.plot(moved[:, 1], "--", color=color)
    whole.set(xlabel=f"x [{unit}]", ylabel=f"y [{unit}]", aspect="equal", title="drift of the frames")
    whole.margins(0.1)
    whole.invert_yaxis()
    within.set(xlabel="row", ylabel=f"displacement [{unit}]", title="drift within frames: y solid, x dashed")
    within.legend(frameon=False, fontsize=7, ncols=2)
    return axes


def draw_quality(ax, quality):
    """What every frame knows of positions over what the best one does, and how far it agrees with that."""
    ax.bar(quality.index, quality["quality"], color="#4878a8", label="information on positions")
    ax.plot(quality.index, quality["agreement"].clip(lower=0), "o", color="#d9822b", label="agreement, noise removed")
    ax.set(yscale="log", xlabel="frame", ylabel="share of the best frame's [-]", xticks=quality.index, ylim=(None, 2))
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def draw_reliability(ax, table):
    """Share of columns that are right against their confidence, with standard errors; see `calibration.reliability`."""
    ax.plot([0, 1], [0, 1], color="0.7", lw=1, label="as stated")
    ax.errorbar(table["confidence"], table["right"], table["error"], fmt="o", ms=4, color="#d9822b", label="seen")
    ax.set(
        xlabel="confidence [-]", ylabel="share of columns that are right [-]", xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal"
    )
    ax.legend(frameon=False, loc="upper left")
    return ax


def panels(count, width=7.0, height=6.0):
    """A figure with ``count`` Axes side by side, laid out tightly."""
    figure, axes = plt.subplots(1, count, figsize=(width * count, height), layout="constrained", squeeze=False)
    return figure, axes[0]


def grid(down, across, width=3.0, height=None):
    """A figure with rows of Axes, (down, across), square below their titles if no height is given."""
    size = width * across, (height or 1.08 * width) * down
    return plt.subplots(down, across, figsize=size, layout="constrained", squeeze=False)


def gallery(micrographs, across=4, width=3.0):
    """A figure of images in rows of ``across``, each with its name and a scale bar."""
    figure, axes = grid(-(-len(micrographs) // across), across, width)
    for ax, micrograph in zip(axes.flat, micrographs, strict=False):
        draw_image(ax, micrograph)
        ax.set_title(micrograph.name, fontsize=9)
    for ax in axes.flat[len(micrographs) :]:
        ax.set_axis_off()
    return figure


def save(figure, path, dpi=150):
    """Write a figure under a temporary name and rename it; the ending gives the format."""
    path = Path(path)
    temporary = path.with_suffix(".partial")
    figure.savefig(temporary, format=path.suffix.lstrip("."), dpi=dpi)
    os.replace(temporary, path)
    return path
