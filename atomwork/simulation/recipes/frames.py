"""The detector's test and validation frames: scans by abTEM of every kind of structure, recorded at low and high dose.

Which columns count is decided by the rule of `visibility`, from the true places and from how far each column stands out of
the noise-free image.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import torch
from scipy.spatial import cKDTree

from atomwork.simulation import contrast, formation, imaging, noise, visibility
from atomwork.simulation.batches import recording
from atomwork.simulation.chance import log_uniform
from atomwork.simulation.recipes import scans
from atomwork.simulation.recipes.subjects import Subject
from atomwork.simulation.recipes.tables import COLUMNS, column_rows
from atomwork.simulation.specimen import Specimen, support
from atomwork.simulation.stores import Array, DataSet, pad
from atomwork.simulation.views import View
from atomwork.simulation.visibility import Visibility

EACH = {"test": 13, "validation": 10}  # frames of each subject of the sets
SIZE = 256  # px
SAMPLING = 0.12  # Å, of the noise-free image that the frames are seen through; its bandwidth is below 2.4 1/Å
SPACING = (5.0, 30.0)  # px, of the notable columns; where only some of them count it is larger
PIXEL_SIZE = (0.03, 0.4)  # Å
DOSE = (5.0, 500.0)  # e⁻/px in the brightest pixel
LEVEL, BACKGROUND = (0.02, 0.6), (0.0, 0.4)  # under the image and, varying, on top of it, over its brightest place [-]
SEAM = 3.0  # Å along the sides of a specimen that doesn't repeat, which no frame shows
REACH = 2.5  # Å that a column shines
FEW = 4  # columns that make a spacing
SINGLE = "single atoms"
NOTABLE = 0.1  # of the strongest column; fainter ones don't make a spacing
ROOM = 6000  # rows that the tables have room for
SOURCE = 0.3  # Å, standard deviation of the effective source
SETTINGS = ("pixel_size", "angle", "dose", "level")


@dataclass(frozen=True)
class Scan:
    """A specimen and how its noise-free image looks.

    Attributes
    ----------
    subject : Subject
    specimen : Specimen
    image : (h, w) float array over the specimen's box, share of the beam on the detector [-]
    columns : DataFrame, the specimen's with ``amplitude``, where the image's brightest place is 1 [-]
    width : float, standard deviation of a column [Å]
    darkest, brightest : float, range of the image on fine pixels [-]
    speckle : float, deviation of an amorphous support's image, on the scale of the amplitudes [-]
    """

    subject: Subject
    specimen: Specimen
    image: np.ndarray
    columns: pd.DataFrame
    width: float
    darkest: float
    brightest: float
    speckle: float

    @property
    def spacing(self):
        """Mean distance of the notable columns to the nearest one; four widths if every atom stands alone [Å]."""
        if self.subject.group == SINGLE:
            return 4 * self.width
        strength = self.columns["amplitude"].abs()
        places = around(self.columns[strength > NOTABLE * strength.max()], self.specimen.size, 1)[["y", "x"]].to_numpy()
        return float(cKDTree(places).query(places, k=2)[0][:, 1].mean())

    def see(self, view):
        """The noise-free image in a view, its darkest place 0 and its brightest 1: (1, h, w) float tensor."""
        image = imaging.seen(self.image, self.specimen.size, view)
        return torch.from_numpy((image - self.darkest) / (self.brightest - self.darkest))[None].clamp(0, 1)


def dataset(which="test"):
    """Frames of all subjects in turn, with the columns that count.

    Parameters
    ----------
    which : str, one of `scans.SETS`

    Returns
    -------
    DataSet : image (256, 256) [e⁻ or grey levels], columns, counted, optional, spacing, dark, subject, settings

    Raises
    ------
    ValueError : an unknown set
    """
    if which not in scans.SETS:
        raise ValueError(f"frames {which!r} are unknown; choose one of {', '.join(scans.SETS)}.")
    subjects, each = scans.SETS[which], EACH[which]
    arrays = {
        "image": Array((SIZE, SIZE), "float32", "(y, x) as recorded [e⁻ or grey levels]"),
        "columns": Array((ROOM, 4), "float32", COLUMNS),
        "counted": Array((ROOM, 2), "float32", "columns that a detector is asked for, y, x [px]"),
        "optional": Array(
            (ROOM, 2), "float32", "columns that it may find or miss, those just beyond the border too, y, x [px]"
        ),
        "spacing": Array((), "float32", "mean distance of neighbours [px]"),
        "dark": Array((), "bool", "columns are darker than what surrounds them"),
        "subject": Array((), "uint8", "index into the subjects"),
        "settings": Array((len(SETTINGS),), "float32", "pixel_size [Å], angle [°], dose [e⁻/px], level of the background [-]"),
    }
    parameters = {"subjects": list(subjects), "groups": [s.group for s in subjects.values()], "settings": list(SETTINGS)}
    parameters |= {"dose": DOSE, "spacing": SPACING, "set": which}
    draw_one = partial(draw, which=which)
    return DataSet(f"frames {which}", each * len(subjects), arrays, draw_one, parameters, block=each)


def draw(index, sequence, *, which):
    """Frame ``index`` with its truth; see `dataset`."""
    number = index // EACH[which]
    scan = scanned(which, number, sequence.entropy)
    rng, torch_rng = formation.generators(sequence)
    view = look(rng, scan)
    level, dose, camera = log_uniform(rng, *LEVEL), log_uniform(rng, *DOSE), recording(rng, 1)
    lit = formation.with_background(scan.see(view) + level, rng=torch_rng, height=rng.uniform(*BACKGROUND))
    gain = dose / float(lit.max())
    columns = shown(scan, view)
    places, kinds = judged(columns, lit * gain, gain, scan, view, camera["readout"][0])
    counted, faint = (view.contains(places) & (kinds == kind) for kind in (Visibility.COUNTS, Visibility.OPTIONAL))
    late = (0, float(noise.lag_delay(camera["lag"])[0]))
    return {
        "image": noise.degrade(lit, rng=torch_rng, dose=dose, **camera)[0].numpy().astype(np.float32),
        "columns": pad(column_rows(columns[view.contains(columns[["y", "x"]].to_numpy())]), ROOM, "columns"),
        "counted": pad(places[counted] + late, ROOM, "columns that count"),
        "optional": pad(places[~counted] + late, ROOM, "other columns"),
        "spacing": np.float32(frame_spacing(scan, view, places[counted], places[faint])),
        "dark": np.bool_(scan.subject.dark),
        "subject": np.uint8(number),
        "settings": np.float32([view.pixel_size, view.angle, dose, level]),
    }


@lru_cache(maxsize=1)
def scanned(which, number, entropy):
    """The `Scan` of a subject; its frames share it."""
    name, subject = list(scans.SETS[which].items())[number]
    specimen = scans.specimen(which, name, entropy)
    scan = imaging.blurred(scans.scan(which, name, specimen), specimen.size, SOURCE)
    image = imaging.resample(scan, specimen.size, SAMPLING)
    low, high = float(image.min()), float(image.max())
    near = around(specimen.columns, specimen.size, 1)  # those beyond the sides shine into the image
    near = near[((near[["y", "x"]] > -REACH) & (near[["y", "x"]] < np.array(specimen.size) + REACH)).all(axis=1)]
    amplitude, width, residual = contrast.stand_out(
        (image - low) / (high - low), near[["y", "x"]].to_numpy() / SAMPLING, SAMPLING
    )
    columns = specimen.columns.assign(amplitude=amplitude[: len(specimen.columns)])
    speckle = residual if support(specimen.atoms).any() else 0.0
    return Scan(subject, specimen, scan, columns, width * SAMPLING, low, high, speckle)


def around(columns, size, copies):
    """Columns with their copies in so many boxes to every side; the specimen's own come first."""
    steps = np.stack(np.meshgrid(*[np.arange(-copies, copies + 1)] * 2, indexing="ij"), -1).reshape(-1, 2)
    steps = steps[np.argsort(np.abs(steps).sum(1), kind="stable")]
    tables = [columns.assign(y=columns["y"] + y * size[0], x=columns["x"] + x * size[1]) for y, x in steps]
    return pd.concat(tables, ignore_index=True)


def look(rng, scan):
    """A random view: of anywhere in a specimen that repeats, else within its sides."""
    pixel_size = float(np.clip(scan.spacing / log_uniform(rng, *SPACING), *PIXEL_SIZE))
    angle, size = float(rng.uniform(0, 360)), np.array(scan.specimen.size)
    if scan.subject.repeats:
        return View(pixel_size, (SIZE, SIZE), tuple(rng.uniform(0, size)), angle)
    upright = abs(np.cos(np.deg2rad(angle))) + abs(np.sin(np.deg2rad(angle)))  # side of the square around the turned view
    pixel_size = min(pixel_size, (size.min() - 2 * SEAM) / (SIZE * upright))
    half = SEAM + pixel_size * SIZE * upright / 2
    farthest = np.maximum(half, size - half)  # equal but for rounding where there is no room
    return View(pixel_size, (SIZE, SIZE), tuple(rng.uniform(half, farthest)), angle)


def shown(scan, view):
    """The columns that a view shows with those just outside it, y, x [px]."""
    size = np.array(scan.specimen.size)
    copies = int(np.ceil((view.radius + REACH) / size.min())) + 1 if scan.subject.repeats else 0
    table = around(scan.columns, size, copies)
    pixels = view.to_pixels(table[["y", "x"]].to_numpy())
    near = view.contains(pixels, -REACH / view.pixel_size)
    return table[near].assign(y=pixels[near, 0], x=pixels[near, 1]).reset_index(drop=True)


def judged(columns, electrons, gain, scan, view, readout):
    """Places (M, 2) in the view and just outside it and their `Visibility` (M,), by `visibility.judge`."""
    n = len(columns)
    positions, amplitude = (torch.from_numpy(columns[k].to_numpy(np.float32)) for k in (["y", "x"], "amplitude"))
    same = (torch.full((n,), float(v)) for v in (scan.width / view.pixel_size, readout, scan.speckle * gain))
    standing = visibility.Columns(positions, torch.zeros(n, dtype=torch.long), amplitude * gain, *same)
    places, _, kinds = visibility.judge(electrons, standing)
    return places.numpy(), kinds.numpy()


def frame_spacing(scan, view, counted, faint):
    """Mean distance of the columns that count to the nearest visible one [px]; the specimen's where they are few."""
    if scan.subject.group == SINGLE or len(counted) < FEW:
        return scan.spacing / view.pixel_size
    return cKDTree(np.concatenate([counted, faint])).query(counted, k=2)[0][:, 1].mean()
