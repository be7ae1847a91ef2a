"""Figures of strain: every function draws on the Axes it is given and returns it."""

import numpy as np

from atomwork import figures
from atomwork.analysis.strain_map import COMPONENTS
from atomwork.columns import bragg

BEYOND = 3.0  # standard deviations from which two maps disagree
SHARE = 99.0  # percentile of the absolute values that the colours span
FIELD = 2.2  # half side of the spectrum that is shown, over the longer Bragg vector
SHADES = 1e6  # ratio of powers that its greys span at most


def draw_spectrum(ax, image, g):
    """The power of an image's spectrum, logarithmic, with its Bragg vectors (2, 2) [1/px] ringed."""
    power = np.fft.fftshift(np.abs(np.fft.fft2(bragg.windowed(np.asarray(image, float)))) ** 2)
    height, width = power.shape
    reach = FIELD * np.linalg.norm(g, axis=1).max()
    extent = (-0.5 - 0.5 / width, 0.5 - 0.5 / width, 0.5 - 0.5 / height, -0.5 - 0.5 / height)
    shades = np.log10(np.maximum(power, power.max() / SHADES))
    ax.imshow(shades, cmap="gray", extent=extent, interpolation="nearest", vmin=np.median(shades))
    for number, (y, x) in enumerate(g, 1):
        ax.plot([x, -x], [y, -y], "o", mfc="none", mec=figures.RINGS[number - 1], ms=12, label=f"g{number}")
    limit = min(0.5, reach)
    ax.set(xlim=(-limit, limit), ylim=(limit, -limit), xlabel="x [1/px]", ylabel="y [1/px]", title="spectrum")
    ax.legend(loc="upper right", fontsize=8)
    return ax


def draw_field(ax, values, pixel_size, label, **colours):
    """A map (H, W) in colours, grey where nothing is known, with a scale bar and a bar of colours."""
    shown = ax.imshow(values, interpolation="nearest", **colours)
    ax.set_facecolor("#bbbbbb")
    ax.set(xticks=[], yticks=[])
    ax.figure.colorbar(shown, ax=ax, label=label, shrink=0.8)
    return figures.draw_scale_bar(ax, pixel_size)


def draw_component(ax, values, pixel_size, limit, label):
    """A map (H, W) in colours that part at zero, from −limit to limit."""
    return draw_field(ax, values, pixel_size, label, cmap="RdBu_r", vmin=-limit, vmax=limit)


def span(maps, name):
    """The value that most absolute values of a component of several maps stay below, rounded up to two digits."""
    values = np.concatenate([np.abs(getattr(one, name))[np.isfinite(getattr(one, name))] for one in maps])
    top = np.percentile(values, SHARE) if len(values) else 1e-3
    digit = 10.0 ** np.floor(np.log10(max(top, 1e-12)) - 1)
    return float(np.ceil(top / digit) * digit)


def draw_strains(axes, maps):
    """Rows of maps by name: exx, exy, eyy in per cent and the rotation in degrees, each column of one scale.

    ``axes`` is (rows, 4), ``maps`` a dict of StrainMap.
    """
    for column, name in enumerate(COMPONENTS[:4]):
        unit, factor = ("°", np.degrees(1)) if name == "rotation" else ("%", 100)
        limit = factor * span(maps.values(), name)
        for row, (method, found) in zip(axes, maps.items(), strict=True):
            ax = row[column]
            draw_component(ax, factor * getattr(found, name), found.pixel_size, limit, f"{name} [{unit}]")
            error = factor * np.nanmedian(getattr(found, f"{name}_std"))
            ax.set_title(f"{method}: {name}, ± {error:.2g} {unit}", fontsize=10)
    y0, y1, x0, x1 = next(iter(maps.values())).reference
    for row in axes:
        row[0].plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], "k--", lw=1)
    return axes


def draw_strain_histogram(ax, strains):
    """Histograms of maps of hydrostatic strain by name, with the mean and the standard deviation of each."""
    widest = 4 * max(np.nanstd(values) for values in strains.values())
    for name, values in strains.items():
        known = 100 * values[np.isfinite(values)]
        text = f"{name}: {known.mean():+.3f} ± {known.std():.3f} %"
        ax.hist(known, bins=np.linspace(-100 * widest, 100 * widest, 161), histtype="step", density=True, lw=1.5, label=text)
    ax.axvline(0, color="black", lw=0.8)
    ax.set(xlabel="hydrostatic strain [%]", ylabel="share of the area [1/%]")
    ax.legend(frameon=False, fontsize=8)
    return ax


def draw_disagreement(ax, apart, pixel_size):
    """By how many standard deviations two maps differ (H, W); beyond 3 it is outlined."""
    draw_field(ax, apart, pixel_size, "difference over its joint error [-]", cmap="magma", vmin=0, vmax=2 * BEYOND)
    if np.nanmax(np.nan_to_num(apart)) > BEYOND:
        ax.contour(np.nan_to_num(apart), [BEYOND], colors="cyan", linewidths=0.7)
    ax.set_title(f"beyond {BEYOND:g}: {np.mean(apart[np.isfinite(apart)] > BEYOND):.1%} of the area", fontsize=10)
    return ax


def draw_displacements(ax, micrograph, displacements):
    """Arrows of displaced columns on the image, coloured by direction; 95 % of them are no longer than a cell."""
    figures.draw_image(ax, micrograph)
    dy, dx = (displacements[name].to_numpy() for name in ("dy", "dx"))
    length = np.hypot(dy, dx)
    longest = np.percentile(length, 95) if len(length) else 1.0
    spacing = np.linalg.norm(displacements.attrs["vectors"], axis=1).min()
    arrows = {"angles": "xy", "scale_units": "xy", "scale": longest / spacing, "pivot": "mid", "width": 0.004}
    ax.quiver(displacements["x"], displacements["y"], dx, dy, np.arctan2(dy, dx), cmap="hsv", clim=(-np.pi, np.pi), **arrows)
    pixel_size = micrograph.pixel_size
    shown = f"{100 * longest * pixel_size:.3g} pm" if pixel_size else f"{longest:.3g} px"
    ax.set_title(f"{len(displacements)} columns; an arrow as long as a cell is {shown}", fontsize=10)
    return ax
