"""Labels for noisy frames from the sharp ones of the same place.

A place is imaged some ten times under different currents and foci. The frames are laid over each other, columns are
found and fitted on their average, in which every frame counts by what it knows of positions, and are carried back into
the pixels of every frame. The average places columns better than the best frame alone, and shows more of them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import distance_transform_edt

from atomwork.analysis import alignment, detect
from atomwork.columns import counting
from atomwork.simulation import visibility

MIN_SIDE = 64  # px, shortest side of a frame
FADE = 0.5  # periods of the lattice over which a frame fades out towards its border in the average [-]
INTERPOLATED = 0.77  # variance that cubic splines leave of white noise, whose slow part they pass in full [-]
SAME_SCALE = 0.01  # relative difference of pixel sizes up to which frames count as equally enlarged


@dataclass(frozen=True)
class AlignedFrames:
    """Frames of one place on one grid: the pixels of the reference frame, continued until every frame fits.

    Attributes
    ----------
    frames : (n, H, W) float32 array, intensity as recorded; NaN where a frame saw nothing
    average : (H, W) float32 array, their weighted average in the reference frame's intensity; NaN where no frame looked
    columns : DataFrame, `detect.detect` on the average, in pixels of this grid
    origin : (2,) int array, the pixel (y, x) of this grid on which the reference frame's first pixel lies
    reference : int, the frame in which columns can be placed most exactly
    drift, drift_std : (n, h, 2) float arrays, how far the place that a frame's row shows is from where it would be in
        the reference frame, y and x, and one standard deviation [px]
    quality : DataFrame with a row per frame: name; quality, its information on positions over the reference's;
        agreement, its correlation with the reference, both freed from noise; gain, its contrast over the reference's
        [-]; level, its intensity where the reference has none; noise, variance of a pixel; jitter of its rows [px]
    pixel_size : float or None [Å]
    """

    frames: np.ndarray
    average: np.ndarray
    columns: pd.DataFrame
    origin: np.ndarray
    reference: int
    drift: np.ndarray
    drift_std: np.ndarray
    quality: pd.DataFrame
    pixel_size: float | None


def label_series(frames, *, model="atomid", lower_bound=0.03, window_size=None, max_drift=None, progress=True):
    """Label every frame of one place, also the noisy ones, with the columns that all frames together show.

    Parameters
    ----------
    frames : sequence of Micrograph or (H, W) float arrays, or an (n, H, W) array, n >= 2; of any dose, focus, offset and
        positive gain, all with bright columns or all with dark ones
    model, lower_bound, window_size : see `detect.detect`
    max_drift : float, largest distance of a frame from the best one along an axis [px]; a quarter of the shorter side if
        None. In a perfect crystal nothing tells a drift from one that is a lattice vector longer; the shorter is taken
    progress : bool, show a progress bar

    Returns
    -------
    aligned : AlignedFrames
    labels : DataFrame with a row for each column in each frame that holds its centre: frame, column (the same number in
        all frames), y, x, y_std, x_std [px of that frame], amplitude, background [intensity of that frame], width [px],
        confidence [0–1], visible (it stands above this frame's noise by the Rose criterion). y_std and x_std are those
        of the fit and of the frame's place together; NaN where nothing was fitted. ``attrs``: pixel_size [Å] or None,
        spacing [px], source, dark, reference

    Raises
    ------
    ValueError : fewer than two frames, frames of different shapes or pixel sizes, too small, constant or not finite, or
        one that shows another place

    References
    ----------
    Lin, Yan et al., Small Science 3 (2023) 2300031, for the idea.
    """
    names, stack, pixel_size = gathered(frames)
    placed = alignment.align(stack, max_drift=max_drift, progress=progress)
    images, average, origin, levels = laid_over(stack, placed)
    columns = found(average, model=model, lower_bound=lower_bound, window_size=window_size)
    columns.attrs.update(pixel_size=pixel_size, source=f"average of {len(stack)} frames")
    table = placed.frames
    quality = pd.DataFrame({"name": names, "quality": table["information"] / table["information"].max()})
    quality = quality.assign(**table[["agreement", "gain"]], level=levels, **table[["noise", "jitter"]])
    drift = np.stack([path.drift for path in placed.scans])
    aligned = AlignedFrames(images, average, columns, -origin, placed.reference, drift, placed.std, quality, pixel_size)
    parts = [transferred(aligned, path, frame, stack[frame]) for frame, path in enumerate(placed.scans)]
    labels = pd.concat(parts, ignore_index=True)
    source = f"{len(stack)} frames, {names[placed.reference]} the best"
    labels.attrs = {**columns.attrs, "source": source, "reference": placed.reference}
    return aligned, labels


def gathered(frames):
    """Names, images (n, H, W) and pixel size of the frames of a series; what is none is refused."""
    if hasattr(frames, "image") or (isinstance(frames, np.ndarray) and frames.ndim == 2):
        raise ValueError("frames is a single image; give at least 2 frames of one place, or label one image with detect.")
    names = [getattr(frame, "name", f"frame {k}") for k, frame in enumerate(frames)]
    images = [np.asarray(getattr(frame, "image", frame), np.float32) for frame in frames]
    if len(images) < 2:
        raise ValueError(f"frames holds {len(images)} images; give at least 2 frames of one place.")
    for number, image in enumerate(images):
        if image.ndim != 2 or image.shape != images[0].shape:
            raise ValueError(
                f"frame {number} has shape {image.shape} and frame 0 {images[0].shape}; give images (H, W) of one shape."
            )
        if min(image.shape) < MIN_SIDE:
            raise ValueError(f"frames are {image.shape[0]} × {image.shape[1]} px; alignment needs {MIN_SIDE} × {MIN_SIDE} px.")
        if not np.isfinite(image).all():
            raise ValueError(f"frame {number} holds NaN or infinite pixels; replace them or leave the frame out.")
        if np.ptp(image) == 0:
            raise ValueError(f"frame {number} is constant ({image.flat[0]:g} everywhere); leave it out.")
    sizes = [getattr(frame, "pixel_size", None) for frame in frames]
    known = {k: size for k, size in enumerate(sizes) if size}
    low, high = (pick(known, key=known.get) if known else 0 for pick in (min, max))
    if known and sizes[high] > sizes[low] * (1 + SAME_SCALE):
        raise ValueError(
            f"frame {low} has pixels of {sizes[low]:.4g} Å and frame {high} of {sizes[high]:.4g} Å; "
            "resample them to one magnification."
        )
    return names, np.stack(images), sizes[low]


def laid_over(stack, placed):
    """Frames on one canvas, their average, the canvas's origin and every frame's level over the reference.

    Parameters
    ----------
    stack : (n, h, w) float32 array
    placed : alignment.Alignment

    Returns
    -------
    images : (n, H, W) float32 array, NaN beyond each frame
    average : (H, W) float32 array, NaN beyond all
    origin : (2,) int array, place of the first pixel
    levels : (n,) float array, intensity where the reference has none
    """
    width = stack.shape[2]
    origin, shape = alignment.canvas(placed.scans, width)
    images = np.empty((len(stack), *shape), np.float32)
    for number, path in enumerate(placed.scans):
        values, known = alignment.on_canvas(stack[number], path, origin, shape)
        images[number] = np.where(known, values, np.nan)
    best = images[placed.reference]
    total, weight, levels = np.zeros(shape), np.zeros(shape), []
    for number, path in enumerate(placed.scans):
        image, gain = images[number], placed.frames["gain"][number]
        known = np.isfinite(image)
        both = known & np.isfinite(best)
        levels.append(image[both].mean(dtype=float) - gain * best[both].mean(dtype=float))
        share = placed.frames["information"][number] * certainty(path, placed.std[number], origin, shape, width, placed.period)
        total[known] += (share * (image - levels[number]) / gain)[known]
        weight[known] += share[known]
    average = np.divide(total, weight, out=np.full(shape, np.nan), where=weight > 0)
    return images, average.astype(np.float32), origin, np.array(levels)


def certainty(path, std, origin, shape, width, period):
    """How much the pixels of a frame on a canvas count: less towards its border and where its rows' places are unsure."""
    rows, start = path.rows_at(origin[0] + np.arange(shape[0]))
    column = origin[1] - start[:, None] + np.arange(shape[1])
    ends = [np.minimum(v, n - 1 - v) for v, n in ((rows[:, None], len(path.y)), (column, width))]
    inner = np.minimum(*ends) + 1
    sure = 1 / (1 + (2 * np.pi / period * np.interp(rows, np.arange(len(path.y)), std.max(1))) ** 2)
    return np.clip(inner / (FADE * period + 1), 1e-3, 1) * sure[:, None]


def found(average, *, model, lower_bound, window_size):
    """Columns of an average that is NaN where no frame looked; see `detect.detect`."""
    unseen = ~np.isfinite(average)
    whole = average[tuple(distance_transform_edt(unseen, return_distances=False, return_indices=True))]
    table = detect.detect(whole, model=model, lower_bound=lower_bound, window_size=window_size)
    pixels = np.rint(table[["y", "x"]].to_numpy()).astype(int).clip(0, np.array(average.shape) - 1)
    kept = table[~unseen[tuple(pixels.T)]].reset_index(drop=True)
    kept[["y_std", "x_std"]] /= np.sqrt(INTERPOLATED)  # the fit takes the noise of neighbouring pixels for independent
    kept.attrs = table.attrs
    return kept


def transferred(aligned, path, frame, image):
    """The columns that a frame shows, in its own pixels and intensity; see `label_series`."""
    columns, quality = aligned.columns, aligned.quality.iloc[frame]
    places = columns[["y", "x"]].to_numpy() - aligned.origin
    y, x = path.to_pixels(places).T
    table = columns.assign(frame=frame, column=np.arange(len(columns)), y=y, x=x)
    for axis, deviation in zip(("y", "x"), aligned.drift_std[frame].T, strict=True):
        table[f"{axis}_std"] = np.hypot(columns[f"{axis}_std"], np.interp(y, np.arange(len(deviation)), deviation))
    table["amplitude"] = quality["gain"] * columns["amplitude"]
    table["background"] = quality["gain"] * columns["background"] + quality["level"]
    inside = np.logical_and(*(table[a].between(-0.5, n - 0.5) for a, n in zip(("y", "x"), image.shape, strict=True)))
    table = table[inside].assign(visible=standing_out(table[inside], image))
    names = ["frame", "column", "y", "x", "y_std", "x_std", "amplitude", "background", "width", "confidence", "visible"]
    return table[names]


def standing_out(columns, image):
    """Which columns an image shows above its noise, by the criterion of `visibility`: (N,) bool array."""
    gain, offset = counting.noise_model(image)
    amplitude, background, width = (
        torch.tensor(columns[name].to_numpy(float)) for name in ("amplitude", "background", "width")
    )
    ratio = visibility.signal_to_noise(amplitude / gain, width, (background + offset) / gain)
    return (ratio >= visibility.ROSE).numpy()
