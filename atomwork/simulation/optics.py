"""The electron lens: wavelength, aberrations and the probe they make."""

from dataclasses import dataclass

import numpy as np

REST_ENERGY = 510_998.95  # eV
HC = 12_398.41984  # eV Å
NOTHING_LEFT = 3.0  # standard deviations of the phase that a focal spread causes; 1 % of the contrast is left


def wavelength(energy):
    """Relativistic electron wavelength [Å] at ``energy`` [eV]."""
    return HC / np.sqrt(energy * (energy + 2 * REST_ENERGY))


@dataclass(frozen=True)
class Lens:
    """A probe-forming or objective lens.

    Attributes
    ----------
    energy : float [eV]
    semiangle_cutoff : float, aperture [mrad]
    defocus : float, positive is underfocus [Å]
    Cs : float, spherical aberration [Å]
    astigmatism : float, twofold [Å]
    astigmatism_angle : float [degrees]
    focal_spread : float, standard deviation of the defocus [Å]
    """

    energy: float = 200e3
    semiangle_cutoff: float = 25.0
    defocus: float = 0.0
    Cs: float = 0.0
    astigmatism: float = 0.0
    astigmatism_angle: float = 0.0
    focal_spread: float = 0.0

    def __post_init__(self):
        if not self.energy > 0 or not self.semiangle_cutoff > 0 or self.focal_spread < 0:
            raise ValueError(
                f"energy {self.energy} eV and semiangle_cutoff {self.semiangle_cutoff} mrad must be positive, "
                f"focal_spread {self.focal_spread} Å not negative."
            )

    @property
    def cutoff(self):
        """The aperture's spatial frequency [1/Å]."""
        return 1e-3 * self.semiangle_cutoff / wavelength(self.energy)

    @property
    def delocalisation(self):
        """How far the aberrations move the finest details that the lens passes, the largest slope of χ over 2π [Å]."""
        lam, limit = wavelength(self.energy), self.cutoff
        if self.focal_spread:
            limit = min(limit, np.sqrt(NOTHING_LEFT / (np.pi * lam * self.focal_spread)))
        k = np.linspace(0, limit, 200)
        return float((np.abs(lam * k * (self.Cs * lam**2 * k**2 - self.defocus)) + lam * k * abs(self.astigmatism)).max())

    def phase(self, ky, kx):
        """Aberration function χ at spatial frequencies [1/Å]: [rad]; a wave is multiplied by exp(−iχ)."""
        lam, square = wavelength(self.energy), ky**2 + kx**2
        twofold = self.astigmatism * np.cos(2 * (np.arctan2(ky, kx) - np.deg2rad(self.astigmatism_angle)))
        return np.pi * lam * square * (twofold - self.defocus + 0.5 * self.Cs * lam**2 * square)

    def zeros(self, count):
        """Spatial frequencies [1/Å] of the first zeros of sin χ of a round lens, other than 0: (count,) or fewer."""
        lam, order = wavelength(self.energy), np.arange(-count, count + 1)
        # χ/π = −λ Δf k² + ½ Cs λ³ k⁴ is a whole number
        roots = [np.roots([0.5 * self.Cs * lam**3, -lam * self.defocus, -n]) for n in order]
        squares = np.concatenate([r[np.isreal(r)].real for r in roots])
        return np.unique(np.sqrt(squares[squares > 1e-9]).round(9))[:count]


def probe_intensity(lens, shape, extent):
    """The focused probe |ψ|² on a periodic grid, centred on pixel (0, 0).

    Parameters
    ----------
    lens : Lens; its focal spread is averaged over
    shape : (H, W) [px]
    extent : (H, W) [Å]

    Returns
    -------
    (H, W) float array, sum 1

    Raises
    ------
    ValueError : the aperture holds a single beam, or more than the grid
    """
    ky, kx = (np.fft.fftfreq(n, length / n) for n, length in zip(shape, extent, strict=True))
    finest, coarsest = 0.5 * min(n / length for n, length in zip(shape, extent, strict=True)), 1 / min(extent)
    if not coarsest < lens.cutoff < finest:
        raise ValueError(
            f"semiangle_cutoff={lens.semiangle_cutoff} mrad ({lens.cutoff:.3f} 1/Å) does not fit between the grid's resolution "
            f"{coarsest:.3f} and bandwidth {finest:.3f} 1/Å; change the field or the pixels."
        )
    ky, kx = ky[:, None], kx[None]
    aperture = np.hypot(ky, kx) <= lens.cutoff
    phase, square = lens.phase(ky, kx), ky**2 + kx**2
    offsets, weights = np.polynomial.hermite_e.hermegauss(7) if lens.focal_spread else (np.zeros(1), np.ones(1))
    lam, total = wavelength(lens.energy), np.zeros(shape)
    for offset, weight in zip(offsets * lens.focal_spread, weights, strict=True):
        wave = np.fft.ifft2(aperture * np.exp(-1j * (phase - np.pi * lam * offset * square)))
        total += weight * np.abs(wave) ** 2
    return total / total.sum()
