"""What a deformed lattice says: strains, rotation, and their errors, in either of two conventions.

A lattice is told by its reciprocal vectors, which fringes have, or by its own vectors, which columns have. In the "finite"
convention one that is 5 % longer than the reference has e = 0.05, exactly; in the "small" one strain is the derivative of the
displacements by the present place, 0.0476.

References
----------
Rouvière & Sarigiannidou, Ultramicroscopy 106 (2005) 1.
"""

import numpy as np

NAMES = ("exx", "exy", "eyy", "rotation", "hydrostatic")
CONVENTIONS = ("finite", "small")


def check(convention):
    """Refuse a convention that is none."""
    if convention not in CONVENTIONS:
        raise ValueError(f"convention={convention!r} is none; choose from {', '.join(CONVENTIONS)}.")


def of_waves(local, noise, own, convention):
    """Strains and rotation, and their standard deviations with ``_std``, by name: float arrays (…).

    Parameters
    ----------
    local : (…, 2, 2) float array, reciprocal vectors as rows, (y, x) [1/px]
    noise : (…, 2, 2) float array, covariance of the two vectors' components along y, or along x [1/px²]
    own : (2, 2) float array, those of the reference [1/px]
    convention : "finite" or "small"
    """
    if convention == "finite":
        inverse = np.linalg.inv(local)
        gradient = inverse @ own
        spread = gradient.swapaxes(-1, -2) @ gradient
    else:
        inverse = np.linalg.inv(own)
        gradient = np.eye(2) - inverse @ local
        spread = np.broadcast_to(np.eye(2), local.shape)
    joint = inverse @ noise @ inverse.swapaxes(-1, -2)
    return named_parts(gradient, np.einsum("...ac,...bd->abcd...", joint, spread), convention)


def of_vectors(local, noise, own, convention):
    """The same of a lattice's own vectors.

    Parameters
    ----------
    local : (…, 2, 2) float array, vectors as rows, (y, x) [px]
    noise : (…, 2, 2, 2) float array, covariance of the two vectors' y, and of their x [px²]
    own, convention : see `of_waves`
    """
    inverse = np.linalg.inv(own)
    gradient = (inverse @ local).swapaxes(-1, -2)
    covariance = np.einsum("bi,...aij,dj,ac->...abcd", inverse, noise, inverse, np.eye(2))
    if convention == "small":
        back = np.linalg.inv(gradient)
        gradient = np.eye(2) - back
        covariance = np.einsum("...ap,...cr,...pqrs,...qb,...sd->...abcd", back, back, covariance, back, back)
    return named_parts(gradient, np.moveaxis(covariance, (-4, -3, -2, -1), (0, 1, 2, 3)), convention)


def named_parts(gradient, covariance, convention):
    """What `of_waves` returns, of deformations or displacements (…, 2, 2) and their covariance (2, 2, 2, 2, …)."""
    measure = components if convention == "finite" else small_components
    values, stds = measure(np.moveaxis(gradient, (-2, -1), (0, 1)), covariance)
    return values | {f"{name}_std": std for name, std in stds.items()}


def components(gradient, covariance):
    """Strains and rotation of deformations, and one standard deviation of each.

    Parameters
    ----------
    gradient : (2, 2, …) float array, F: derivative of where points are by where they were, ∂y/∂Y, ∂y/∂X; ∂x/∂Y, ∂x/∂X [-]
    covariance : (2, 2, 2, 2, …) float array, of its elements [ab] and [cd]

    Returns
    -------
    two dicts of float arrays (…) by name: exx, exy, eyy, hydrostatic [-], and rotation from x towards y, which is clockwise
    where y points down [rad]

    Notes
    -----
    F = V·R, with the left stretch V = 1 + strain along the image's axes and the rotation R; the closed form of two dimensions.
    """
    angle = np.arctan2(gradient[0, 1] - gradient[1, 0], gradient[0, 0] + gradient[1, 1])
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    stretch = np.einsum("ak...,bk...->ab...", gradient, turn)
    values = named(stretch[0, 0] - 1, 0.5 * (stretch[0, 1] + stretch[1, 0]), stretch[1, 1] - 1, angle)
    turned = np.einsum("bk...,dl...,akcl...->abcd...", turn, turn, covariance)
    return values, deviations(turned)


def small_components(displacement, covariance):
    """The same of small displacements: their symmetric and antisymmetric parts.

    Parameters
    ----------
    displacement : (2, 2, …) float array, derivatives of displacements by place: ∂u_y/∂y, ∂u_y/∂x; ∂u_x/∂y, ∂u_x/∂x [-]
    covariance : see `components`
    """
    shear, angle = (0.5 * (displacement[0, 1] + sign * displacement[1, 0]) for sign in (1, -1))
    return named(displacement[0, 0], shear, displacement[1, 1], angle), deviations(covariance)


def named(eyy, exy, exx, rotation):
    """Components by name."""
    return dict(zip(NAMES, (exx, exy, eyy, rotation, 0.5 * (exx + eyy)), strict=True))


def deviations(covariance):
    """One standard deviation of the components of nearly no rotation, by name."""
    both = covariance[0, 1, 0, 1] + covariance[1, 0, 1, 0]
    mixed, normal = 2 * covariance[0, 1, 1, 0], covariance[0, 0, 0, 0] + covariance[1, 1, 1, 1]
    sum_of_normal = 0.25 * (normal + 2 * covariance[0, 0, 1, 1])
    variances = (covariance[1, 1, 1, 1], 0.25 * (both + mixed), covariance[0, 0, 0, 0], 0.25 * (both - mixed), sum_of_normal)
    return {name: np.sqrt(np.maximum(variance, 0)) for name, variance in zip(NAMES, variances, strict=True)}
