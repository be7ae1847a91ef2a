"""Bad input, for every test that must refuse it."""

import numpy as np
from skimage.io import imsave

from atomwork import micrograph


def broken_files(folder, rng):
    """Write files that hold no image to analyse; the name of each, and what the sentence about it must say."""
    sample = micrograph.find_sample("mos2")
    whole = (micrograph.package_folder(sample) / sample.path).read_bytes()
    (folder / "truncated.dm3").write_bytes(whole[: len(whole) // 3])
    (folder / "text.tif").write_text("this is no image")
    imsave(folder / "photo.png", rng.integers(0, 255, (40, 40, 3), dtype=np.uint8), check_contrast=False)
    hole, flat = rng.random((40, 40)), np.full((40, 40), 7.0)
    hole[3, 4] = np.nan
    for name, array in {
        "nan": hole,
        "constant": flat,
        "complex": hole + 1j,
        "empty": flat[:0],
        "line": flat[0],
        "stack": rng.random((4, 40, 40)),
    }.items():
        np.save(folder / f"{name}.npy", array)
    return {
        "missing.tif": "does not exist",
        "truncated.dm3": "can't be read",
        "text.tif": "can't be read",
        "photo.png": "colour picture",
        "nan.npy": "1 NaN",
        "constant.npy": "constant",
        "complex.npy": "complex",
        "empty.npy": "empty",
        "line.npy": "not one image",
        "stack.npy": "choose one with frame=0…3",
    }
