"""Images by multislice, PRISM and the contrast transfer function: abTEM's optics on a `Specimen`.

Every function returns a noise-free `Micrograph` with square pixels. A crystal that repeats is not computed as a
whole: see `reuse`. A specimen that doesn't repeat is continued across the sides of its box all the same; leave
some ångströms beyond what you want to look at.
"""

import numpy as np
from scipy.fft import next_fast_len

from atomwork.image import Micrograph
from atomwork.simulation import reuse
from atomwork.simulation.multislice import BAND, COARSEST, METHODS, SPARE, configurations, objective_image, scan, scan_by_blocks
from atomwork.simulation.optics import Lens
from atomwork.simulation.scattering import PROBE
from atomwork.simulation.views import View, look_at

OBJECTIVE = Lens(energy=300e3, semiangle_cutoff=40.0, Cs=1e4, defocus=-50.0, focal_spread=30.0)


def hrtem(
    specimen,
    *,
    lens=OBJECTIVE,
    pixel_size=0.1,
    shape=None,
    centre=None,
    angle=0.0,
    sampling=COARSEST,
    phonons=0,
    temperature=300.0,
    seed=0,
    cache=None,
):
    """A high-resolution TEM image: plane wave, multislice, contrast transfer function.

    Parameters
    ----------
    specimen : Specimen
    lens : Lens; its semi-angle is the objective aperture
    pixel_size : float, of the image [Å]
    sampling : float, of the calculation, at most [Å]; it is finer where pixels or aperture ask for it
    shape, centre, angle : the field of view, see `views.look_at`
    phonons : int, frozen thermal configurations to average over; 0 is a specimen at rest
    temperature : float [K]
    seed : int, of the thermal displacements
    cache : dict, see `reuse.assemble`; only for the same crystal, lens, pixel size and phonons

    Returns
    -------
    Micrograph, intensity over that of the beam [-]

    Raises
    ------
    ValueError : an empty image
    """
    view = look_at(specimen, pixel_size, shape, centre, angle)

    def simulate(atoms, shape, window):
        frozen = configurations(atoms, phonons, temperature, seed)
        image = np.mean([objective_image(one, shape, lens) for one in frozen], 0)
        return image[window[0] : window[1], window[2] : window[3]]

    sampling = min(sampling, pixel_size, BAND / 2 / (lens.cutoff * SPARE))
    image = compute(specimen, simulate, sampling, hrtem_parts(lens, phonons), cache)
    settings = {"imaging": "hrtem", **vars(lens), "phonons": phonons, "temperature": temperature, "seed": seed}
    return Micrograph(seen(image, specimen.size, view), pixel_size, specimen.name, settings)


def haadf(specimen, *, inner=70.0, outer=200.0, **settings):
    """A high-angle annular dark-field image; see `stem`."""
    return stem(specimen, inner=inner, outer=outer, **settings)


def adf(specimen, *, inner=40.0, outer=120.0, **settings):
    """A medium-angle annular dark-field image; see `stem`."""
    return stem(specimen, inner=inner, outer=outer, **settings)


def abf(specimen, *, inner=11.0, outer=22.0, **settings):
    """An annular bright-field image; see `stem`."""
    return stem(specimen, inner=inner, outer=outer, **settings)


def stem(
    specimen,
    *,
    inner,
    outer,
    lens=PROBE,
    source_size=0.3,
    pixel_size=0.1,
    shape=None,
    centre=None,
    angle=0.0,
    method="multislice",
    phonons=0,
    temperature=300.0,
    seed=0,
    cache=None,
):
    """A scanned image with an annular detector.

    Parameters
    ----------
    specimen : Specimen
    inner, outer : float, of the detector [mrad]
    lens : Lens, of the probe
    source_size : float, standard deviation of the effective source [Å]
    pixel_size : float, of the image [Å]; the scan itself is as fine as the probe needs
    shape, centre, angle : the field of view, see `views.look_at`
    method : str, one of `METHODS`; PRISM pays when the scan has many more places than the aperture has beams
    phonons, temperature, seed, cache : see `hrtem`

    Returns
    -------
    Micrograph, share of the beam on the detector [-]

    Raises
    ------
    ValueError : the detector is no ring, the method is unknown, the lens has a focal spread
    """
    view = look_at(specimen, pixel_size, shape, centre, angle)
    settings = {"lens": lens, "inner": inner, "outer": outer, "method": method}
    settings |= {"phonons": phonons, "temperature": temperature, "seed": seed}
    image = blurred(scanned(specimen, **settings, cache=cache), specimen.size, source_size)
    told = {"imaging": "stem", **vars(settings.pop("lens")), **settings, "source_size": source_size}
    return Micrograph(seen(image, specimen.size, view), pixel_size, specimen.name, told)


def scanned(
    specimen,
    *,
    inner,
    outer,
    lens=PROBE,
    method="multislice",
    phonons=0,
    temperature=300.0,
    seed=0,
    cache=None,
):
    """A scan over a specimen's box by a point source, as coarse as the probe allows: (h, w) array; see `stem`."""
    if not 0 <= inner < outer or method not in METHODS:
        raise ValueError(f"inner={inner} mrad must be below outer={outer} mrad, and method={method!r} one of {METHODS}.")
    if lens.focal_spread:
        raise ValueError(f"focal_spread={lens.focal_spread} Å is not computed in scans; average images over the defocus.")
    parts = stem_parts(lens)

    def annular(atoms, shape, window):
        return scan(atoms, shape, window, lens, inner, outer, method)

    def simulate(atoms, shape, window):
        frozen = configurations(atoms, phonons, temperature, seed)
        return np.mean([scan_by_blocks(one, shape, window, parts["margin"], annular) for one in frozen], 0)

    # a missing column leaves a few per cent of less than nothing, since blocks of other sizes sample the atoms elsewhere
    return np.maximum(compute(specimen, simulate, 0.25 / (lens.cutoff * SPARE), parts, cache), 0)


def hrtem_parts(lens, phonons):
    """Settings of `reuse.Parts` but the grid [Å]: what changes is seen as far as the lens moves it."""
    return {"reach": 1.5 + lens.delocalisation, "margin": 0.0, "link": 6.0, "repeats": not phonons}


def stem_parts(lens):
    """The same for a scan, whose probe has to fit into a block; every column shines for itself."""
    return {"reach": 2.5 + lens.delocalisation, "margin": 5.0 + lens.delocalisation, "link": 1.0, "repeats": False}


def compute(specimen, simulate, sampling, parts, cache):
    """The image over a specimen's box on a grid at least as fine as ``sampling`` [Å]: (H, W) array."""
    if specimen.unit is not None:
        grid = tuple(int(np.ceil(length / sampling)) for length in specimen.unit.cell.lengths()[1::-1])
        image = reuse.assemble(specimen, simulate, reuse.Parts(grid, **parts), cache)
        if image is not None:
            return image
    shape = tuple(next_fast_len(int(np.ceil(length / sampling))) for length in specimen.size)
    atoms, cache = specimen.atoms, {} if cache is None else cache
    key = ("whole", *shape, atoms.numbers.tobytes(), atoms.positions.tobytes())
    return reuse.cached(cache, key, simulate, atoms, shape, (0, shape[0], 0, shape[1]))


def blurred(image, size, width):
    """A scan convolved with the source, a Gaussian of standard deviation ``width`` [Å], on a grid twice as fine.

    Parameters
    ----------
    image : (h, w) array, periodic over (H, W) ``size`` [Å] and as fine as the probe needs
    """
    ky, kx = (np.fft.fftshift(np.fft.fftfreq(n, length / n)) for n, length in zip(image.shape, size, strict=True))
    spectrum = np.fft.fftshift(np.fft.fft2(image)) * np.exp(-2 * (np.pi * width) ** 2 * (ky[:, None] ** 2 + kx**2))
    around = [((n + 1) // 2, n // 2) for n in image.shape]
    return 4 * np.fft.ifft2(np.fft.ifftshift(np.pad(spectrum, around))).real


def interpolation(count, places):
    """Matrix (M, count) that evaluates a band-limited periodic signal at ``places`` (M,) [samples], exactly."""
    places, samples = np.asarray(places, float)[:, None], np.arange(count)
    sine = np.sin(np.pi * places) * np.where(samples % 2, -1, 1)  # sin π(place − sample)
    away = (np.pi / count * (places - samples)).astype(np.float32)  # single from here: it is what takes the time
    period = count * (np.sin(away) if count % 2 else np.tan(away))
    on_sample = np.abs(period) < 1e-6
    return np.where(on_sample, 1, sine.astype(np.float32) / np.where(on_sample, 1, period))


def resample(image, size, pixel_size):
    """A periodic image of (H, W) ``size`` [Å] on square pixels, as many as fit, exactly: (h, w) float32 array."""
    rows, columns = (
        interpolation(n, np.arange(int(length / pixel_size + 1e-6)) * pixel_size / length * n)
        for n, length in zip(image.shape, size, strict=True)
    )
    return rows @ image.astype(np.float32) @ columns.T


def seen(image, size, view):
    """A periodic image of (H, W) ``size`` [Å] as a view shows it: (h, w) float32 array."""
    return resample(image, size, view.pixel_size) if view == View.whole(size, view.pixel_size) else view.look(image, size)
