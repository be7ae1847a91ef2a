"""The ready recipes of data sets by name."""

import numpy as np

from atomwork.image import Micrograph
from atomwork.simulation.recipes import atomgan, atomid, material, srtio3_defects, temimagenet, tomography, wei

RECIPES = {
    "material": material.dataset,
    "atomid": atomid.dataset,
    "atomgan": atomgan.dataset,
    "temimagenet": temimagenet.dataset,
    "srtio3_defects": srtio3_defects.dataset,
    "wei": wei.dataset,
    "tomography": tomography.dataset,
}


def pictures(store, count):
    """The first images of a store.

    Parameters
    ----------
    store : zarr.Group of one of `RECIPES`
    count : int

    Returns
    -------
    list of Micrograph, at most ``count``; the pixel size is None where the recipe has none
    """
    images, parameters = store["image"][:count], store.attrs["parameters"]
    if "pixel_size" in store:
        sizes = store["pixel_size"][:count].tolist()
    elif "pixel_size" in parameters.get("settings", ()):
        sizes = store["settings"][:count, parameters["settings"].index("pixel_size")].tolist()
    else:
        sizes = [parameters.get("pixel_size")] * len(images)
    return [
        Micrograph(np.asarray(i, np.float32), size, f"image {k}") for k, (i, size) in enumerate(zip(images, sizes, strict=True))
    ]
