"""How well the linear image model agrees with multislice."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import map_coordinates

from atomwork.image import Micrograph
from atomwork.simulation import forward, imaging, scattering


@dataclass(frozen=True)
class Agreement:
    """Two images of one specimen.

    Attributes
    ----------
    linear, multislice : Micrograph, share of the beam on the detector [-]
    correlation : float, Pearson's, of their pixels
    intensities : DataFrame, per species of columns the mean intensity at the column over that of the brightest species,
        in either image, and the quotient of the two
    seconds : (2,) wall time of either [s]
    """

    linear: Micrograph
    multislice: Micrograph
    correlation: float
    intensities: pd.DataFrame
    seconds: tuple


def compare(specimen, *, inner=70.0, outer=200.0, phonons=8, lens=imaging.PROBE, source_size=0.3, pixel_size=0.1, seed=0):
    """Image a specimen by `forward.render` with cross sections and by frozen-phonon multislice, and compare.

    Parameters
    ----------
    specimen : Specimen
    inner, outer : float, of the detector [mrad]
    phonons : int, frozen configurations of the multislice calculation
    lens, source_size, pixel_size, seed : see `imaging.stem`

    Returns
    -------
    Agreement
    """
    shared = {"lens": lens, "source_size": source_size, "pixel_size": pixel_size}
    strength = scattering.cross_sections(specimen.atoms.symbols, inner=inner, outer=outer, lens=lens)
    forward.render(specimen, strength=strength, **shared)  # a first call sets up the Fourier transforms
    start = time.perf_counter()
    linear = forward.render(specimen, strength=strength, **shared)
    between = time.perf_counter()
    full = imaging.stem(specimen, inner=inner, outer=outer, phonons=phonons, seed=seed, **shared)
    seconds = (between - start, time.perf_counter() - between)
    correlation = float(np.corrcoef(linear.image.ravel(), full.image.ravel())[0, 1])
    return Agreement(linear, full, correlation, intensities(specimen, linear, full), seconds)


def intensities(specimen, linear, multislice):
    """Relative column intensities of two images by species; see `Agreement`."""
    columns = specimen.columns
    table = {}
    for name, picture in (("linear", linear), ("multislice", multislice)):
        places = columns[["y", "x"]].to_numpy() / picture.pixel_size
        values = map_coordinates(picture.image, places.T, order=3, mode="grid-wrap")
        inside = ((places > 0) & (places < np.array(picture.image.shape) - 1)).all(1)
        table[name] = pd.Series(values[inside]).groupby(columns["species"].to_numpy()[inside]).mean()
    table = pd.DataFrame(table)
    table /= table.loc[table["multislice"].idxmax()]
    return table.assign(quotient=table["linear"] / table["multislice"]).rename_axis("species").reset_index()
