"""Pictures of what a model draws at several stages of its training."""

from pathlib import Path

import numpy as np
import pytorch_lightning as pl

from atomwork.models.adversarial import Unpaired


class Stages(pl.Callback):
    """Writes what a model makes of a batch, at the validation that ends each stage: ``stage_1.npy`` and so on.

    A run that was killed and resumed keeps those of its first part.

    Parameters
    ----------
    folder : path
    batch : adversarial.Unpaired
    max_steps : int
    count : int, stages
    """

    def __init__(self, folder, batch, max_steps, count=4):
        self.folder, self.batch, self.max_steps, self.count = Path(folder), batch, max_steps, count

    def path(self, stage):
        """The file of a stage, 1 and up."""
        return self.folder / f"stage_{stage}.npy"

    def on_validation_end(self, trainer, model):
        """Write what the model makes of the batch, (K, B, 1, H, W), if a stage has ended."""
        stage = trainer.global_step * self.count // self.max_steps
        if stage and not self.path(stage).exists():
            partial = self.path(stage).with_suffix(".partial.npy")
            batch = Unpaired(self.batch.image.to(model.device), self.batch.vectors.to(model.device))
            np.save(partial, model.across(batch).float().cpu().numpy())
            partial.replace(self.path(stage))

    def read(self):
        """What was written, by stage: dict of (K, B, 1, H, W) arrays."""
        return {stage: np.load(self.path(stage)) for stage in range(1, self.count + 1) if self.path(stage).exists()}
