"""Whether two maps of strain agree within their errors, and whether strain may be the scan's."""

from dataclasses import dataclass

import numpy as np

COMPARED = ("exx", "exy", "eyy", "rotation")
ALIKE = 0.02  # by which resolutions may differ over each other [-]
SUSPECT = 0.4  # share of what changes along y that rows explain, from which the scan is suspected [-]
APART = 1.2  # that share over the one of columns along x from which it is the scan's and not the crystal's [-]
BEYOND = 4.0  # variance of the rows' means over that of their noise, from which they differ [-]


def disagreement(first, second):
    """By how many of its standard deviations two maps differ, in the component in which they differ most.

    Parameters
    ----------
    first, second : StrainMap, of one image, resolution, reference and convention

    Returns
    -------
    (H, W) float array [-] : of the joint error as if the two were independent, which is too large for maps of the same
        noise, so that what lies beyond 3 is no chance; NaN where either is

    Raises
    ------
    ValueError : shapes, resolutions, references or conventions differ
    """
    for what in ("convention", "reference"):
        one, other = getattr(first, what), getattr(second, what)
        if one != other:
            raise ValueError(f"the maps' {what} is {one} and {other}; measure both with the same one.")
    if first.exx.shape != second.exx.shape:
        raise ValueError(f"the maps' shapes are {first.exx.shape} and {second.exx.shape}; give shape= to strain.from_columns.")
    if abs(first.resolution / second.resolution - 1) > ALIKE:
        raise ValueError(
            f"the maps' resolutions are {first.resolution:.3g} and {second.resolution:.3g} px; measure both with the same one."
        )
    parts = []
    for name in COMPARED:
        joint = np.hypot(getattr(first, f"{name}_std"), getattr(second, f"{name}_std"))
        parts.append(np.abs(getattr(first, name) - getattr(second, name)) / joint)
    return np.max(parts, 0)


@dataclass(frozen=True)
class ScanDistortion:
    """How much of the strain along the slow axis of a scan its rows explain.

    Attributes
    ----------
    rows : float, share of what changes in the derivatives along y that the rows' means explain, beyond noise [-]
    columns : float, the same of the derivatives along x and the columns of pixels [-]
    strain : float, root mean square of what the rows explain [-]
    suspected : bool, rows explain most of it, and far more than columns do
    """

    rows: float
    columns: float
    strain: float
    suspected: bool

    def __str__(self):
        shares = f"rows explain {self.rows:.0%} of how the lattice changes along y, columns {self.columns:.0%} along x"
        if not self.suspected:
            return f"No sign of scan distortion: {shares}."
        return (
            f"Scan distortion is likely: {shares}. Strain of {self.strain:.2%} along y may be the scan's, not the crystal's; "
            "average a series of frames or turn the scan by 90° to tell."
        )


def scan_distortion(strain_map):
    """Whether the rows of a scan, displaced one against the other, explain the strain along the slow axis, y.

    Parameters
    ----------
    strain_map : StrainMap

    Returns
    -------
    ScanDistortion : its text is a sentence to print. Layers of a crystal along the rows look the same; the scan tells itself by
        shifting rows along x, too, and by not doing to columns of pixels what it does to rows.
    """
    across = strain_map.exy - strain_map.rotation, strain_map.exy + strain_map.rotation  # ∂u_x/∂y and ∂u_y/∂x
    noise = np.nanmean(strain_map.exy_std**2 + strain_map.rotation_std**2)
    pairs = (
        ((strain_map.eyy, np.nanmean(strain_map.eyy_std**2)), (across[0], noise)),
        ((strain_map.exx.T, np.nanmean(strain_map.exx_std**2)), (across[1].T, noise)),
    )
    (rows, strain, sure), (columns, *_) = (explained(pair, strain_map.resolution) for pair in pairs)
    suspected = sure and rows > SUSPECT and rows > APART * columns
    return ScanDistortion(rows, columns, strain, bool(suspected))


def explained(parts, resolution):
    """Share that rows' means explain of parts (H, W) with noise variances, root mean square of it, and whether it is sure."""
    by_rows, total, chance = 0.0, 0.0, 0.0
    for values, noise in parts:
        known = np.isfinite(values)
        count = known.sum(1)
        kept = count > count.max() / 2
        mean = np.where(known, values, 0).sum(1)[kept] / count[kept]
        # noise along x is correlated as a Gaussian of √2 resolutions
        of_mean = noise * min(1.0, 2 * np.sqrt(np.pi) * resolution / count[kept].mean())
        chance += of_mean
        by_rows += mean.var() - of_mean
        total += values[kept][known[kept]].var() - noise
    share = np.clip(by_rows / total, 0, 1) if total > 0 else 0.0
    return float(share), float(np.sqrt(max(by_rows, 0))), by_rows + chance > BEYOND * chance
