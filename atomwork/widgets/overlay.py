"""An image with its columns over it, the network's map between them, and what the columns are like beside it."""

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from atomwork import figures
from atomwork.analysis.edits import REGION
from atomwork.columns import neighbours
from atomwork.widgets.stage import Stage

SIZE = (7.7, 5.2)  # inch; beside the sliders on a page of 1280 px
FOUND, BY_HAND, TRUE, CURSOR = "#ffb000", "#56b4e9", "#ffffff", "#dc267f"  # told apart by colour-blind eyes, and by shape
REGIONS = {"include": ("#56b4e9", ""), "ignore": ("#ffffff", "///")}  # colour and hatching
BINS = 40
FARTHEST = 2.0  # of the spacing, up to which distances of neighbours are shown
LARGEST, SMALLEST = 6.0, 1.2  # of a dot [points]


class Overlay(Stage):
    """The live figure of an `editing.Editing`.

    Parameters
    ----------
    editing : `editing.Editing`

    Attributes
    ----------
    ax : Axes of the image
    dots, by_hand, marks, cursor, trace : Line2D of the columns, those added by hand, the marked truth, the keyboard's cursor,
        and of a drag that isn't done
    mask : AxesImage, the network's map
    """

    def __init__(self, editing):
        super().__init__(SIZE)
        grid = self.figure.add_gridspec(2, 2, width_ratios=(2.6, 1))
        self.ax = self.figure.add_subplot(grid[:, 0])
        figures.draw_image(self.ax, editing.micrograph)
        height, width = editing.pixels.shape
        field = (-0.5, width - 0.5, height - 0.5, -0.5)
        self.mask = self.ax.imshow(np.zeros((2, 2)), cmap="magma", vmin=0, vmax=1, extent=field, alpha=0.0)
        dark = {"linestyle": "none", "markeredgecolor": "black"}
        (self.dots,) = self.ax.plot([], [], "o", color=FOUND, **dark)
        (self.by_hand,) = self.ax.plot([], [], "s", color=BY_HAND, **dark)
        (self.marks,) = self.ax.plot([], [], "x", color=TRUE, markersize=7)
        (self.cursor,) = self.ax.plot([], [], "+", color=CURSOR, markersize=16, markeredgewidth=2)
        (self.trace,) = self.ax.plot([], [], color=CURSOR, linewidth=1.5)
        self.regions = {kind: self.ax.add_patch(outline(*look)) for kind, look in REGIONS.items()}
        self.beside = [self.figure.add_subplot(grid[row, 1]) for row in (0, 1)]
        self.steps = [ax.stairs(np.ones(BINS), np.linspace(0, 1, BINS + 1), fill=True, color=FOUND) for ax in self.beside]
        self.label(editing)
        self.move(*self.regions.values(), self.dots, self.by_hand, self.marks, self.trace, self.cursor, *self.steps)
        self.move(*self.ax.artists)  # the scale bar, over the dots
        self.update(editing, editing.columns)

    def label(self, editing):
        """Axes of the two histograms: of counts on a scale that shows single columns, too."""
        pixel_size = editing.micrograph.pixel_size
        self.unit = pixel_size or 1.0
        self.reach = FARTHEST * editing.seen.spacing * self.unit
        labels = ("confidence [-]", f"nearest neighbour [{'Å' if pixel_size else 'px'}]")
        for ax, label, most in zip(self.beside, labels, (1.0, self.reach), strict=True):
            ax.set(xlabel=label, ylabel="columns", yscale="log", xlim=(0, most), ylim=(0.7, 2 * max(len(editing.columns), 5)))

    def over(self, renderer):
        """Draw what moves, dots as large as the zoom leaves room for."""
        size = np.clip(0.5 * self.spacing * figures.points_per_pixel(self.ax), SMALLEST, LARGEST)
        for line in (self.dots, self.by_hand):
            line.set(markersize=size, markeredgewidth=0.1 * size)
        super().over(renderer)

    def update(self, editing, columns):
        """Show columns, and the marks and regions as they are."""
        self.spacing = editing.seen.spacing
        places = columns[["y", "x"]].to_numpy(float)
        sure = columns["confidence"].to_numpy(float)
        hand = editing.by_hand(columns)
        self.dots.set_data(*places[~hand].T[::-1])
        self.by_hand.set_data(*places[hand].T[::-1])
        self.marks.set_data(*editing.truth.T[::-1])
        for kind, patch in self.regions.items():
            patch.set_path(rectangles([corners for _, *corners in editing.settings.among([kind])]))
        apart = neighbours.nearest_distance(columns[["y", "x"]]) * self.unit if len(columns) > 1 else np.empty(0)
        for steps, values, most in zip(self.steps, (sure, apart), (1.0, self.reach), strict=True):
            counts, edges = np.histogram(values, BINS, (0, most))
            steps.set_data(counts, edges, 0.5)
        self.show()

    def cover(self, confidence, opacity):
        """Show the network's map (H, W) over the image."""
        self.mask.set_data(confidence)
        self.mask.set_alpha(opacity * confidence)
        self.show()

    def point(self, place):
        """Put the keyboard's cursor at a place (y, x), or nowhere."""
        self.cursor.set_data(*([], []) if place is None else ([place[1]], [place[0]]))
        self.show()

    def draw_trace(self, kind, start, end):
        """What a drag from start to end, (y, x) each, would do; nothing without a start."""
        corners = [] if start is None else [start, end]
        if corners and kind in REGION:
            corners = [start, (start[0], end[1]), end, (end[0], start[1]), start]
        self.trace.set_data([x for _, x in corners], [y for y, _ in corners])
        self.show()


def outline(color, hatch):
    """A patch without a place for regions of one kind."""
    return PathPatch(
        Path(np.empty((0, 2))), fill=bool(hatch), facecolor="#00000055", edgecolor=color, hatch=hatch, linewidth=1.5
    )


def rectangles(corners):
    """One path of rectangles with opposite corners (y, x, y, x)."""
    boxes = [Path([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], closed=True) for y0, x0, y1, x1 in corners]
    return Path.make_compound_path(*boxes) if boxes else Path(np.empty((0, 2)))
