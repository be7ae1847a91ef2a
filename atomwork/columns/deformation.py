"""What a deformation gradient says: strains, rotation, and their errors, in either of two conventions."""

import numpy as np

NAMES = ("exx", "exy", "eyy", "rotation", "hydrostatic")


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
