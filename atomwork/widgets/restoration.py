"""The restoration panel: an image before and after a filter, with a wipe between them."""

from dataclasses import replace

import numpy as np
from ipywidgets import Dropdown, Layout
from matplotlib.patches import Rectangle

from atomwork import figures
from atomwork.analysis import restore
from atomwork.widgets.part import Part, slider
from atomwork.widgets.stage import Stage

SIZE = (7.7, 5.2)  # inch


class RestorationPanel(Part):
    """An image without noise or background, see `restore.restore`; to the right of the wipe it is restored."""

    notebook = "restoration"

    def __init__(self, editing):
        super().__init__(editing, Stage(SIZE))
        before = self.before()
        grid = self.stage.figure.add_gridspec(2, 2, width_ratios=(2.6, 1))
        self.ax, self.spread = self.stage.figure.add_subplot(grid[:, 0]), self.stage.figure.add_subplot(grid[0, 1])
        figures.draw_image(self.ax, editing.micrograph)
        self.after = self.ax.imshow(editing.pixels, cmap="gray", interpolation="nearest")
        self.line = self.ax.axvline(0, color="#ffb000", linewidth=1.5)
        self.stage.move(self.after, self.line, *self.ax.artists)
        self.task = Dropdown(options=restore.TASKS, description="Task", layout=Layout(width="27em"))
        self.task.value = before.get("task", restore.TASKS[0])
        self.strength = slider(before.get("strength", 1.0), 0.1, 4.0, "Strength")
        self.wipe = slider(0.5, 0.0, 1.0, "Before | after", continuous_update=True)
        self.task.observe(lambda _: self.refresh(), "value")
        self.strength.observe(lambda _: self.refresh(), "value")
        self.wipe.observe(lambda _: self.show(), "value")
        self.stage.canvas.mpl_connect("button_press_event", self.dragged)
        self.stage.canvas.mpl_connect("motion_notify_event", self.dragged)
        self.lay_out(self.task, self.strength, self.wipe)
        self.refresh()

    def parameters(self):
        return {**super().parameters(), "task": self.task.value, "strength": self.strength.value}

    def files(self):
        return {**super().files(), "restored.npy": lambda path: np.save(path, self.restored), "restored.png": self.save}

    def save(self, path):
        """Write the image before, after, and what was taken off, as a figure."""
        made, axes = figures.panels(3, 6, 6)
        parts = {"as it was": self.editing.pixels, "restored": self.restored, "taken off": self.editing.pixels - self.restored}
        for ax, (name, pixels) in zip(axes, parts.items(), strict=True):
            figures.draw_image(ax, replace(self.editing.micrograph, image=pixels)).set_title(name)
        figures.save(made, path)

    def measure(self):
        """Restore the image by what is set."""
        self.remember()
        options = {"spacing": self.editing.seen.spacing, "strength": self.strength.value}
        self.restored = restore.restore(self.editing.pixels, task=self.task.value, **options)
        self.after.set_data(self.restored)
        self.after.set_clim(*np.percentile(self.restored, figures.SHOWN))
        taken = self.editing.pixels - self.restored
        self.spread.clear()
        self.spread.hist(taken.ravel(), bins=60, color="#4878a8")
        self.spread.set(xlabel="taken off [intensity]", ylabel="pixels", yscale="log")
        self.spread.locator_params(axis="x", nbins=3)
        self.said.value = f"what was taken off has a mean of {taken.mean():.4g} and a standard deviation of {taken.std():.4g}"
        self.stage.show()
        self.show()

    def dragged(self, event):
        """The wipe follows a mouse whose button is down."""
        if event.button == 1 and event.inaxes is self.ax and not self.stage.zooming:
            self.wipe.value = float(np.clip((event.xdata + 0.5) / self.editing.pixels.shape[1], 0, 1))

    def show(self):
        """Restored to the right of the wipe."""
        height, width = self.editing.pixels.shape
        at = self.wipe.value * width - 0.5
        self.after.set_clip_path(Rectangle((at, -0.5), width - 0.5 - at, height, transform=self.ax.transData))
        self.line.set_xdata([at, at])
        self.stage.show()
