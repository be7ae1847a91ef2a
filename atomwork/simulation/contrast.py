"""How far the columns of a computed image stand out: the link from abTEM's intensities to the rule of visibility.

Where the columns are is the specimen's truth. How bright each one looks in an image of thick, overlapping or light
columns is not proportional to anything known beforehand, so Gaussians at the true places are fitted to the noise-free image.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import coo_array, eye_array, hstack
from scipy.sparse.linalg import spsolve

CUT = 4.0  # widths from which a Gaussian is left out
WIDTHS = (0.25, 1.1)  # Å, where the width is sought
BACKGROUND_CELL = 8.0  # Å between the nodes of the smooth background
DAMPING = 1e-6  # against columns that stand on each other, which only share their amplitude


def stand_out(image, places, pixel_size):
    """Amplitudes of columns at known places, and their width.

    Parameters
    ----------
    image : (H, W) float array, noise-free [arb.]
    places : (N, 2) float array, (y, x) [px]; those beyond the image help to explain its border
    pixel_size : float [Å]

    Returns
    -------
    amplitude : (N,) float array, above (negative: below) a background that is linear between nodes 8 Å apart [arb.]
    width : float, standard deviation that all columns share [px]
    residual : float, root mean square of what columns and background leave unexplained [arb.]

    Raises
    ------
    ValueError : no place
    """
    if not len(places):
        raise ValueError("there is no column to measure; give at least one place.")
    level = background(image.shape, BACKGROUND_CELL / pixel_size)
    pixels = np.asarray(image, float).ravel()

    def fitted(width):
        model = hstack([profiles(image.shape, places, width), level]).tocsc()
        solution = spsolve((model.T @ model + DAMPING * eye_array(model.shape[1])).tocsc(), model.T @ pixels)
        return solution[: len(places)], np.linalg.norm(pixels - model @ solution)

    limits = np.array(WIDTHS) / pixel_size
    width = minimize_scalar(
        lambda width: fitted(width)[1], bounds=limits, method="bounded", options={"xatol": 0.02 * limits[0]}
    ).x
    amplitude, norm = fitted(width)
    return amplitude, float(width), float(norm / np.sqrt(pixels.size))


def profiles(shape, places, width):
    """Gaussians of height 1 at (N, 2) places as the columns of a sparse (H·W, N) matrix."""
    reach = int(np.ceil(CUT * width))
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    pixels = np.rint(places).astype(int)[:, None] + steps  # (N, K, 2)
    inside = ((pixels >= 0) & (pixels < shape)).all(-1)
    values = np.exp(-((pixels - places[:, None]) ** 2).sum(-1) / (2 * width**2))
    rows = pixels[..., 0] * shape[1] + pixels[..., 1]
    columns = np.broadcast_to(np.arange(len(places))[:, None], rows.shape)
    return coo_array((values[inside], (rows[inside], columns[inside])), shape=(shape[0] * shape[1], len(places))).tocsr()


def background(shape, cell):
    """Tents over nodes about ``cell`` px apart as the columns of a sparse (H·W, M) matrix; they add up to 1."""
    tents = []
    for length in shape:
        nodes = max(2, round(length / cell) + 1)
        place = np.linspace(0, nodes - 1, length)[:, None] - np.arange(nodes)
        tents.append(np.maximum(0, 1 - np.abs(place)))  # (length, nodes)
    rows, columns = tents
    return coo_array(np.einsum("yi,xj->yxij", rows, columns).reshape(shape[0] * shape[1], -1)).tocsr()
