"""The judge: how probable it is that a candidate is a column, all evidence weighed."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TAILS = 0.005  # share of the examples at either end of a number that are taken for its ends [-]
BATCH, EPOCHS = 512, 12


class Judge(pl.LightningModule):
    """A small perceptron on the numbers of `columns.evidence`.

    Parameters
    ----------
    count : int, how many numbers it weighs; as many as `columns.evidence.NAMES`
    width : int, of its two hidden layers
    learning_rate : float, at its highest
    weight_decay : float
    max_steps : int, length of the one-cycle schedule [steps]
    """

    def __init__(self, count=24, width=48, learning_rate=3e-3, weight_decay=1e-2, max_steps=1000):
        super().__init__()
        self.save_hyperparameters()
        for name in ("low", "mean"):
            self.register_buffer(name, torch.zeros(count))
        for name in ("high", "std"):
            self.register_buffer(name, torch.ones(count))
        layers = [nn.Linear(count, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, numbers):
        """Logits (N,) of numbers (N, F)."""
        return self.layers((self.clipped(numbers) - self.mean) / self.std)[:, 0]

    def clipped(self, numbers):
        """Numbers (N, F) within the ends of the examples."""
        return torch.minimum(torch.maximum(numbers, self.low), self.high)

    @torch.inference_mode()
    def probability(self, numbers):
        """Probability (N,) of each candidate with the numbers (N, F) of `evidence.gather`, as an array."""
        return torch.sigmoid(self(torch.from_numpy(numbers))).numpy()

    def adapt(self, numbers):
        """Take ends, mean and deviation of every number from examples (N, F)."""
        ends = np.quantile(numbers.numpy(), [TAILS, 1 - TAILS], axis=0)
        self.low, self.high = torch.from_numpy(ends.astype(np.float32))
        clipped = self.clipped(numbers)
        self.mean, self.std = clipped.mean(0), clipped.std(0) + 1e-6

    def training_step(self, batch, _):
        """Cross-entropy of a batch of numbers and truths."""
        numbers, right = batch
        return F.binary_cross_entropy_with_logits(self(numbers), right)

    def configure_optimizers(self):
        """AdamW on a one-cycle schedule."""
        settings = self.hparams
        optimizer = torch.optim.AdamW(self.layers.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=settings.max_steps + 1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def learn(numbers, right, *, start=None, epochs=EPOCHS, seed=1, progress=True):
    """A judge from examples.

    Parameters
    ----------
    numbers : (N, F) float32 array of `evidence.gather`
    right : (N,) bool array, the candidate is a column
    start : Judge that learns on, ends and deviations of its numbers kept; a new one if None
    epochs : int
    seed : int
    progress : bool, show a bar

    Returns
    -------
    Judge : in evaluation mode
    """
    pl.seed_everything(seed, verbose=False)
    numbers, truth = torch.from_numpy(numbers), torch.from_numpy(right).float()
    images = DataLoader(TensorDataset(numbers, truth), min(BATCH, len(numbers)), shuffle=True, drop_last=True)
    judge = Judge(numbers.shape[1], max_steps=epochs * len(images))
    if start is None:
        judge.adapt(numbers)
    else:
        judge.load_state_dict(start.state_dict())
    quiet = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", devices=1, enable_progress_bar=progress, **quiet)
    trainer.fit(judge, images)
    return judge.eval()
