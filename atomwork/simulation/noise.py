"""What the microscope adds: background, scan errors, counting noise, the detector and the file format.

Every function takes (B, H, W) tensors and per-image strengths of shape (B,) (0 switches it off), draws
from the ``torch.Generator`` it is given and runs where its input lies.
"""

import torch
import torch.nn.functional as F

MANY = 30.0  # expected electrons from which normal deviates stand for Poisson ones


def per_image(value, image):
    """A scalar or (B,) strength as a (B, 1, 1) tensor beside ``image``."""
    return torch.as_tensor(value, dtype=image.dtype, device=image.device).reshape(-1, 1, 1)


def normal(image, rng):
    """White Gaussian noise of unit variance in the shape of ``image``."""
    return torch.randn(image.shape, generator=rng, device=image.device, dtype=image.dtype)


def smooth_field(image, rng, cells):
    """A smooth random field of zero mean and unit expected deviation: cosines of up to ``cells`` half-waves."""
    count, (height, width) = len(image), image.shape[-2:]
    waves = torch.arange(cells + 1, device=image.device, dtype=image.dtype)
    rows, columns = (
        torch.cos(torch.pi * waves * (torch.arange(n, device=image.device)[:, None] + 0.5) / n) for n in (height, width)
    )
    coefficients = torch.randn((count, cells + 1, cells + 1), generator=rng, device=image.device, dtype=image.dtype)
    coefficients[:, 0, 0] = 0
    power = torch.where(waves > 0, 0.5, 1.0)  # mean square of each cosine
    total = power[:, None] * power
    return rows @ coefficients @ columns.T / torch.sqrt(total.sum() - total[0, 0])


def patches(image, rng, cells):
    """Contamination: patches in [0, 1] with soft borders that cover about a third of the image."""
    return torch.sigmoid(4 * (smooth_field(image, rng, cells) - 0.6))


def affected(strength):
    """Indices of the images whose strength is not zero, so that the others cost nothing."""
    return torch.nonzero(strength[:, 0, 0])[:, 0]


def scan_jitter(image, rng, strength):
    """Displace every scan line along the fast (x) axis by a Gaussian of the given width [px]."""
    height, width = image.shape[-2:]
    strength = per_image(strength, image).expand(len(image), 1, 1)
    some = affected(strength)
    shift = strength[some] * torch.randn((len(some), height, 1), generator=rng, device=image.device)
    source = (torch.arange(width, device=image.device) - shift).clamp(0, width - 1)
    left = source.floor().long().clamp_max(width - 2)
    lines = image[some]
    moved = torch.lerp(lines.gather(-1, left), lines.gather(-1, left + 1), source - left)
    return image.index_copy(0, some, moved)


def streaks(image, rng, strength):
    """Multiply every scan line by a random gain of mean 1 and the given standard deviation [-]."""
    gain = 1 + per_image(strength, image) * torch.randn((*image.shape[:-1], 1), generator=rng, device=image.device)
    return image * gain.clamp_min(0)


def counts(image, rng, dose):
    """Poisson counts of an image whose brightest pixel expects ``dose`` electrons [e⁻/px]."""
    peak = image.amax((1, 2), keepdim=True).clamp_min(1e-12)
    return poisson(image.clamp_min(0) * (per_image(dose, image) / peak), rng)


def poisson(expected, rng):
    """Poisson deviates, ten times faster where many electrons are expected.

    There they are rounded normal deviates with the Poisson distribution's mean, variance and skewness (the
    first terms of Cornish and Fisher's expansion); the variance is right to 0.5 %.
    """
    deviate = normal(expected, rng)
    drawn = (expected + expected.sqrt() * deviate + (deviate**2 - 1) / 6).round_().clamp_min_(0)
    few = torch.nonzero(expected.view(-1) < MANY)[:, 0]
    drawn.view(-1)[few] = torch.poisson(expected.view(-1)[few], generator=rng)
    return drawn


def detector_blur(image, strength):
    """A 3 x 3 binomial blur mixed in with the given share, as by a scintillator or a resampled file."""
    strength = per_image(strength, image).expand(len(image), 1, 1)
    some = affected(strength)
    sharp = image[some]
    padded = F.pad(sharp[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    blurred = (rows[..., :-2] + 2 * rows[..., 1:-1] + rows[..., 2:]) / 4
    return image.index_copy(0, some, torch.lerp(sharp, blurred, strength[some]))


LAG = (2 / 3, 1 / 3)  # shares of the pixels scanned one and two before in what a slow detector brings late [-]


def lag_delay(strength):
    """How far along x `detector_lag` moves the image [px]."""
    return strength * (LAG[0] + 2 * LAG[1])


def detector_lag(image, strength):
    """Mix every pixel with the two scanned before it, as a slow detector does."""
    strength = per_image(strength, image).expand(len(image), 1, 1)
    some = affected(strength)
    prompt = image[some]
    before = F.pad(prompt[:, None], (2, 0, 0, 0), mode="replicate")[:, 0]
    late = LAG[0] * before[..., 1:-1] + LAG[1] * before[..., :-2]
    return image.index_copy(0, some, torch.lerp(prompt, late, strength[some]))


def bright_spots(image, rng, density):
    """Replace a share ``density`` [-] of the pixels by values well above the brightest."""
    density = per_image(density, image).expand(len(image), 1, 1)
    some = affected(density)
    clean = image[some]
    chance = torch.rand(clean.shape, generator=rng, device=image.device) / density[some]  # below 1 is a hit
    return image.index_copy(0, some, torch.where(chance < 1, clean.amax((1, 2), keepdim=True) * (1 + chance), clean))


def eight_bit(image, gamma, clip):
    """Store as 0…255 grey levels: cut a share ``clip`` [-] off both ends, apply ``gamma``, round."""
    low, high = image.amin((1, 2), keepdim=True), image.amax((1, 2), keepdim=True)
    span = (high - low).clamp_min(1e-12)
    cut = per_image(clip, image)
    grey = ((image - low - cut * span) / ((1 - 2 * cut) * span)).clamp(0, 1)
    return (255 * grey ** per_image(gamma, image)).round()


def degrade(image, *, rng, dose, jitter=0.0, streak=0.0, readout=0.0, lag=0.0, blur=0.0, spots=0.0, gamma=None, clip=0.0):
    """Turn noise-free images into recorded ones.

    Parameters
    ----------
    image : (B, H, W) float tensor, non-negative intensity [arb.]
    rng : torch.Generator on the image's device
    dose : float or (B,), expected electrons in the brightest pixel [e⁻/px]
    jitter : float or (B,), scan-line displacement [px]
    streak : float or (B,), scan-line gain error [-]
    readout : float or (B,), Gaussian noise [e⁻]
    lag : float or (B,), share of the pixels scanned before [-]
    blur : float or (B,), share of the detector's blur [-]
    spots : float or (B,), share of bright pixels [-]
    gamma : float or (B,), grey-level exponent of an 8-bit file [-]; the counts are kept if None or NaN
    clip : float or (B,), share of the grey range lost at either end of an 8-bit file [-]

    Returns
    -------
    (B, H, W) float tensor, counts [e⁻] or grey levels
    """
    recorded = streaks(scan_jitter(image, rng, jitter), rng, streak)
    recorded = counts(recorded, rng, dose)
    recorded = recorded + per_image(readout, image) * normal(image, rng)
    recorded = detector_blur(detector_lag(recorded, lag), blur)
    recorded = bright_spots(recorded, rng, spots)
    if gamma is None:
        return recorded
    gamma = per_image(gamma, image)
    return torch.where(gamma.isnan(), recorded, eight_bit(recorded, gamma.nan_to_num(1.0), clip))
