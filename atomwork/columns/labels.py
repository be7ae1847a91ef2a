"""A frame with its columns, to judge a detector by."""

from dataclasses import dataclass, field

import numpy as np

from atomwork.columns import matching

HIT = 0.25  # largest distance of a hit over the spacing [-]
NO_SPACING = 8.0  # px, in place of the spacing of a frame that shows no columns


@dataclass(frozen=True)
class LabelledFrame:
    """An image and the truth about its columns.

    Attributes
    ----------
    image : (H, W) float array [arb.]
    columns : (N, 2) float array, y, x [px]
    optional : (M, 2) float array, columns that may be found or not, y, x [px]
    spacing : float [px]; NaN where nothing is shown
    dark : bool, columns are darker than their surroundings
    name, group : str
    dose : float, in the brightest pixel [e⁻/px]; NaN if unknown
    pixel_size : float [Å]; None if unknown
    """

    image: np.ndarray
    columns: np.ndarray
    optional: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    spacing: float = np.nan
    dark: bool = False
    name: str = ""
    group: str = ""
    dose: float = np.nan
    pixel_size: float | None = None

    @property
    def tolerance(self):
        """Largest distance of a hit [px]."""
        return HIT * (self.spacing if np.isfinite(self.spacing) else NO_SPACING)

    def agreement(self, found):
        """`matching.Match` of found columns with those of the frame.

        Labels end at the centres of the outermost pixels: what is found beyond them and is no column of the frame is
        neither right nor wrong.
        """
        places = matching.as_points(found)
        beyond = ((places < 0) | (places > np.array(self.image.shape) - 1)).any(1)
        optional = np.concatenate([self.optional, places[beyond]])
        return matching.match(places, self.columns, tolerance=self.tolerance, optional=optional)


def of_batch(batch, group=""):
    """The images of a `simulation.batches.Batch` as a list of `LabelledFrame`."""
    numbers = zip(batch.spacing.tolist(), batch.dark.tolist(), batch.names, batch.dose.tolist(), strict=True)
    images, places = batch.image[:, 0].cpu().numpy(), zip(batch.columns, batch.optional, strict=True)
    return [
        LabelledFrame(image, columns, optional, spacing, dark, name, group, dose)
        for image, (columns, optional), (spacing, dark, name, dose) in zip(images, places, numbers, strict=True)
    ]
