"""Unpaired training images: crops of images and of drawings, all at one scale, each with its lattice."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

from atomwork.columns import bragg
from atomwork.columns.polarity import polarity
from atomwork.models import shares
from atomwork.models.adversarial import Unpaired
from atomwork.models.networks.lattice import unrepeated
from atomwork.models.networks.translation import BRIGHTEST
from atomwork.simulation.batches import resampled
from atomwork.simulation.drawing import ATOMS, DEFECT_LEVEL

SPACING = 10.5  # px, the mean length of a lattice's shortest vectors that all images are brought to
ZOOM = 0.05  # by how much crops are larger or smaller than that, at most [-]
DRAWN = 1.2  # grey level of −1…1 that a drawing's brightest is, well below what a network can draw
SPREAD = 3.0  # standard deviations of an image that are one grey level of −1…1
VALIDATION_SEED = 41  # of the crops that validation looks at
MANY = 9  # images from which other processes find lattices
TRIES = 6  # crops at most until one has something that its lattice doesn't repeat
STRIKING = 8.0  # medians of what a lattice doesn't repeat from which it strikes [-]
FAINTEST = 0.02  # grey level of −1…1 below which nothing strikes


@dataclass(frozen=True)
class Domain:
    """Images of one domain.

    Attributes
    ----------
    image : (N, H, W) float16 tensor, grey levels of −`BRIGHTEST`…`BRIGHTEST`, columns bright and what lies between about 0
    vectors : (N, 2, 2) float tensor, the shortest vectors of their lattices as rows, (y, x) [px]
    marks : (N, H, W) float16 tensor, see `Unpaired`, or None
    """

    image: torch.Tensor
    vectors: torch.Tensor
    marks: torch.Tensor | None = None

    def taught(self, levels):
        """The same with ``levels`` (N, H, W), grey levels 0…255 that drawings of the images would have, negative or NaN."""
        return replace(self, marks=torch.from_numpy(DRAWN / DEFECT_LEVEL * np.asarray(levels)).half())


def images(levels, progress=iter):
    """The domain of images (N, H, W), at any linear scale of intensities; ``progress`` wraps N steps, as tqdm does."""
    levels = np.asarray(levels)
    return Domain(torch.stack([normalised(image).half() for image in levels]), lattices(levels, progress))


def drawings(levels, progress=iter):
    """The domain of drawings (N, H, W), grey levels 0…255; see `simulation.drawing` and `images`."""
    levels = np.asarray(levels)
    atoms = np.where(levels > ATOMS, np.median(levels, (1, 2), keepdims=True), levels)
    return Domain(torch.from_numpy(DRAWN / DEFECT_LEVEL * levels).half(), lattices(atoms, progress))


def split(arrays, n_images, held_back, progress=iter, teach=None):
    """Domains to learn from and domains to validate on, both without test images.

    Parameters
    ----------
    arrays : mapping of ``image`` and ``drawing`` (N, H, W) and ``is_test`` (N,) bool, such as a store of `recipes.atomgan`
    n_images : int, of either domain, to learn from
    held_back : int, further ones, to validate on
    progress : see `images`
    teach : function of images (N, H, W) to the grey levels that drawings of them would have, see `Domain.taught`,
        such as `analysis.teaching.marks`; or None

    Returns
    -------
    two lists of two Domain

    Raises
    ------
    ValueError : there are fewer images
    """
    free = np.flatnonzero(~np.asarray(arrays["is_test"][:], bool))
    if n_images + held_back > len(free):
        raise ValueError(
            f"{n_images} images to learn from and {held_back} to validate on are more than the {len(free)} that aren't for the "
            f"test; lower n_images to {len(free) - held_back} or draw a larger data set."
        )
    rows = free[: n_images + held_back]
    levels = {name: np.asarray(arrays[name][: rows[-1] + 1])[rows] for name in ("image", "drawing")}
    marks = None if teach is None else teach(levels["image"])
    both = []
    for part in (slice(n_images), slice(n_images, None)):
        seen, drawn = images(levels["image"][part], progress), drawings(levels["drawing"][part], progress)
        both.append([seen if marks is None else seen.taught(marks[part]), drawn])
    return both


def normalised(image):
    """An image (H, W) at the grey levels that the networks take, columns bright: (H, W) float tensor."""
    image = torch.from_numpy(polarity(image) * np.asarray(image, np.float32))
    return ((image - image.median()) / (SPREAD * image.std())).clamp(-BRIGHTEST, BRIGHTEST)


def lattices(levels, progress):
    """The lattices' vectors (N, 2, 2) of images (N, H, W), on all cores if there are many."""
    if len(levels) < MANY:
        return torch.from_numpy(np.stack([vectors_of(image) for image in levels]))
    with ProcessPoolExecutor() as pool:
        return torch.from_numpy(np.stack(list(progress(pool.map(vectors_of, levels, chunksize=8)))))


def vectors_of(image):
    """The vectors (2, 2) of an image's lattice."""
    return bragg.find(image).vectors.astype(np.float32)


class UnpairedCrops(Dataset):
    """Batch after batch of crops, each made when it is asked for; those of different domains are of different images.

    Most have a defect or a front in them: were these rare, networks that never draw any would not be found out.

    Parameters
    ----------
    domains : sequence of Domain
    batch_size : int, crops of each domain
    seed : int
    batches : sequence of int, which batches of the endless series; batch k is the same whoever asks for it
    device : where the batches are to be
    side : int, of the crops [px]
    """

    def __init__(self, domains, batch_size, seed, batches, device="cpu", side=96):
        self.domains, self.batch_size, self.seed, self.batches, self.side = domains, batch_size, seed, batches, side
        self.device = device

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.batches[index],)))
        crops = [[self.striking_crop(domain, rng) for _ in range(self.batch_size)] for domain in self.domains]
        both, vectors = (torch.stack([torch.stack([crop[part] for crop in of_one]) for of_one in crops]) for part in (0, 1))
        image, marks = both.to(self.device).split(1, 2)
        known = any(domain.marks is not None for domain in self.domains)
        return Unpaired(image, vectors.to(self.device), marks if known else None)

    def striking_crop(self, domain, rng):
        """The first of several crops with something that its lattice does not repeat, or the last; see `crop`."""
        for _ in range(TRIES):
            both, vectors = self.crop(domain, rng)
            left = F.avg_pool2d(unrepeated(both[None, :1], vectors[None]), 3, 1).abs()
            if left.max() > STRIKING * left.median() + FAINTEST:
                break
        return both, vectors

    def crop(self, domain, rng):
        """A crop of a random image and its marks (2, side, side), turned, mirrored and to scale, and its lattice (2, 2)."""
        number = rng.integers(len(domain.image))
        image, vectors = domain.image[number], domain.vectors[number]
        marks = torch.full_like(image, torch.nan) if domain.marks is None else domain.marks[number]
        finer = SPACING / float(vectors.norm(dim=1).mean()) * (1 + ZOOM * rng.uniform(-1, 1))
        cut = min(round(self.side / finer), *image.shape)
        y, x = (int(rng.integers(length - cut + 1)) for length in image.shape)
        part = torch.stack([image, marks])[None, :, y : y + cut, x : x + cut].float()
        part = resampled(part, (self.side, self.side))[0]
        return turned(part, vectors * self.side / cut, int(rng.integers(4)), bool(rng.integers(2)))


def turned(image, vectors, quarters, mirrored):
    """An image (C, H, H) turned by quarters of a circle and perhaps mirrored, and its lattice's vectors (2, 2)."""
    image = image.rot90(quarters, (1, 2))
    for _ in range(quarters):
        vectors = torch.stack([-vectors[:, 1], vectors[:, 0]], 1)
    if mirrored:
        image, vectors = image.flip(2), vectors * torch.tensor([1.0, -1.0])
    return image, vectors


class UnpairedStream(pl.LightningDataModule):
    """Training crops of unpaired images, one epoch after the other, and fixed validation crops of other images.

    Parameters
    ----------
    domains, validation : sequences of Domain, as many in either
    batch_size : int, crops of each domain
    seed : int
    max_steps, steps_per_epoch : int
    validation_batches : int
    side : int, of the crops [px]
    """

    def __init__(
        self, domains, validation, *, batch_size=8, seed=0, max_steps=10_000, steps_per_epoch=250, validation_batches=4, side=64
    ):
        super().__init__()
        self.domains, self.validation, self.batch_size, self.seed, self.side = domains, validation, batch_size, seed, side
        self.max_steps, self.steps_per_epoch, self.validation_batches = max_steps, steps_per_epoch, validation_batches

    def train_dataloader(self):
        """This process's part of the current epoch."""
        mine, each = shares.training(self.trainer, self.steps_per_epoch, self.max_steps), self.trainer.world_size
        return self.loader(self.domains, self.batch_size // each, self.seed, mine)

    def val_dataloader(self):
        """This process's part of the fixed validation crops, the same for every seed."""
        mine = shares.validation(self.trainer, self.validation_batches)
        return self.loader(self.validation, self.batch_size, VALIDATION_SEED, mine)

    def loader(self, domains, batch_size, seed, batches):
        """The batches of those numbers, where the model is."""
        device = self.trainer.strategy.root_device
        return DataLoader(UnpairedCrops(domains, batch_size, seed, batches, device, self.side), batch_size=None)
