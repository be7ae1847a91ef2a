"""Bragg vectors by clicks on the spectrum of an image."""

import numpy as np

from atomwork import figures, strain_figures
from atomwork.analysis import strain
from atomwork.columns import borders, bragg

SNAP = 0.06  # of the width of the spectrum that is shown, within which a click finds the highest peak
GRID = 41  # places along either axis at which it is looked for


class BraggPicker:
    """The spectrum of an image, in which a click takes the nearest peak as a Bragg vector in place of the older one.

    It is drawn by whatever backend matplotlib has: under ``%matplotlib widget``, or in a window.

    Parameters
    ----------
    image : (H, W) array, intensity [arb.], or a Micrograph
    ax : Axes to draw on; those of a figure of its own if None
    g : (2, 2) float array, vectors to begin with; those that `strain.gpa` picks if None
    changed : function that is called when a vector was taken

    Attributes
    ----------
    g : (2, 2) float array, the vectors, (y, x) [1/px], for `strain.gpa`
    figure, ax : matplotlib Figure and Axes

    Raises
    ------
    ValueError : no lattice in the image
    """

    def __init__(self, image, *, ax=None, g=None, changed=None):
        self.image = borders.middle(getattr(image, "image", image), strain.LOOKED_AT)
        self.windowed = bragg.windowed(self.image)
        self.g = strain.picked(self.image) if g is None else np.array(g, float)
        self.ax = figures.panels(1, 6, 6)[1][0] if ax is None else ax
        self.figure, self.changed = self.ax.figure, changed
        self.draw()
        self.figure.canvas.mpl_connect("button_press_event", self.clicked)

    def draw(self):
        """Show the spectrum with the vectors as they are."""
        limits = self.ax.axis() if self.ax.images else None
        self.ax.clear()
        strain_figures.draw_spectrum(self.ax, self.image, self.g).set_title("click: the next Bragg vector")
        if limits:
            self.ax.axis(limits)  # the same field however short the vectors become
        self.figure.canvas.draw_idle()

    def clicked(self, event):
        """Take the peak at a click, if there is one."""
        if event.inaxes is self.ax:
            taken = self.peak((event.ydata, event.xdata))
            if taken is not None:
                self.take([self.g[1], taken])

    def take(self, g):
        """Take vectors (2, 2) [1/px]."""
        self.g = np.array(g, float)
        self.draw()
        if self.changed:
            self.changed()

    def peak(self, place):
        """The peak (2,) of the spectrum nearest to a place, (y, x) [1/px], or None where nothing stands out."""
        reach = SNAP * abs(np.subtract(*self.ax.get_xlim()))
        axes = [at + np.linspace(-reach, reach, GRID) for at in place]
        power = bragg.power_at(self.windowed, *axes)
        row, column = np.unravel_index(power.argmax(), power.shape)
        if power.max() < bragg.STANDS * np.median(power):
            return None
        return bragg.refined(self.windowed, np.array([axes[0][row], axes[1][column]]))
