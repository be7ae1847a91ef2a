"""What Atomap does with an image, step by step, and the choices that it leaves to the person at the microscope.

Atomap counts positions in (x, y); everything here is in (y, x).
"""

import numpy as np
from atomap import api
from atomap.atom_finding_refining import subtract_average_background
from hyperspy.signals import Signal2D
from scipy.linalg import eigh
from scipy.ndimage import gaussian_filter, maximum_filter

from atomwork.columns import neighbours

CALM = 1.5  # blur that keeps the noise out of the autocorrelation [px]
PERIODIC = 0.25  # least height of a maximum of the autocorrelation that counts as a period, over the highest [-]
SHIFTS = 3  # how often a centre of mass is taken around the last one
NEIGHBOURS = 9  # as many as Atomap looks at, the column itself among them


def prepare(image, components, background):
    """The image (H, W) reduced to its first singular components and less its own blur; None leaves it as it is.

    Atomap finds the components by a random projection; here they are exact, so that the same image gives the
    same columns.
    """
    if components is not None:
        if not components >= 1:
            raise ValueError(f"pca={components} leaves nothing of the image; take 1 component or more, 22 is Atomap's own.")
        count = image.shape[1]
        axes = eigh(image.T @ image, subset_by_index=(max(0, count - components), count - 1))[1]
        image = image @ axes @ axes.T
        image = image - min(image.min(), 0)
    if background is not None:
        if not background > 0:
            raise ValueError(f"subtract_background={background} px must be positive; 30 px is Atomap's own.")
        image = subtract_average_background(Signal2D(image), gaussian_blur=background).data
    return image


def shortest_period(image):
    """Length of the shortest vector by which an image (H, W) repeats itself [px]; a tenth of its side if it doesn't."""
    relief = gaussian_filter(image, CALM) - gaussian_filter(image, min(image.shape) / 8)
    likeness = np.fft.irfft2(np.abs(np.fft.rfft2(relief)) ** 2, relief.shape)
    y, x = np.nonzero(likeness == maximum_filter(likeness, 3, mode="wrap"))
    lengths = np.hypot(*(np.minimum(v, n - v) for v, n in zip((y, x), likeness.shape, strict=True)))
    height = np.where(lengths > 0, likeness[y, x], 0)
    periods = lengths[(height > 0) & (height >= PERIODIC * height.max())]
    return float(periods.min()) if len(periods) else min(image.shape) / 10


def find(image, separation, threshold_rel):
    """Peaks (N, 2) that keep a distance of ``separation`` along y or x [px].

    Atomap leaves out a frame as wide as the separation, so that a margin is laid around the image.
    """
    margin = int(separation) + 1
    framed = Signal2D(np.pad(image, margin, constant_values=image.min()))
    return api.get_atom_positions(framed, separation=separation, threshold_rel=threshold_rel)[:, ::-1] - margin


def refine(image, positions, method, reach):
    """Positions (N, 2) refined by ``method``, and the amplitude and width (N,) of the Gaussians, NaN without a fit.

    Centres of mass move a part of the way only, as what lies under a column counts too, so that they are taken
    again around the last ones. Atomap misplaces them near the border, so that a margin is laid around the image.
    """
    unknown = np.full(len(positions), np.nan)
    if len(positions) < 2:
        return positions, unknown, unknown  # the reach is measured in distances of neighbours
    margin = int(reach * neighbours.nearest_distance(positions).max()) + 3
    lattice = api.Sublattice(positions[:, ::-1] + margin, np.pad(image, margin))
    lattice.find_nearest_neighbors(min(NEIGHBOURS, len(positions)))
    for _ in range(SHIFTS):
        lattice.refine_atom_positions_using_center_of_mass(percent_to_nn=reach, show_progressbar=False)
    if method == "gaussian":
        lattice.refine_atom_positions_using_2d_gaussian(percent_to_nn=reach, show_progressbar=False)
    atoms = lattice.atom_list
    positions = np.array([(atom.pixel_y, atom.pixel_x) for atom in atoms]) - margin
    if method != "gaussian":
        return positions, unknown, unknown
    volume, area = np.array([(atom.amplitude_gaussian, atom.sigma_x * atom.sigma_y) for atom in atoms]).T
    fitted = volume > 0  # Atomap's mark of a fit that failed is 0
    return positions, np.where(fitted, volume / (2 * np.pi * area), np.nan), np.where(fitted, np.sqrt(area), np.nan)
