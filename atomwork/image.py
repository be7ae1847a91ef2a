"""The image that everything here takes or gives."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Micrograph:
    """An image as recorded or simulated.

    Attributes
    ----------
    image : (H, W) float32 array, raw intensity [arb.]
    pixel_size : float or None, side of the square pixels [Å]
    name : str
    metadata : dict, whatever the file said, or what it was simulated with
    """

    image: np.ndarray
    pixel_size: float | None
    name: str
    metadata: dict = field(default_factory=dict, repr=False)
