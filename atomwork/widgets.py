"""What people click and slide: figures that answer in a notebook."""

import importlib

import matplotlib
import numpy as np
from ipywidgets import HTML, Button, Checkbox, FloatSlider, HBox, ToggleButtons, VBox
from matplotlib.figure import Figure

from atomwork import figures, strain_figures
from atomwork.analysis import detect, editing, strain
from atomwork.columns import borders, bragg, neighbours
from atomwork.image import Micrograph

LOOK = "look"
HINTS = {
    LOOK: "clicks change nothing; zoom and pan with the toolbar",
    "add": "a click adds a column, which is fitted at once",
    "remove": "a click removes the nearest column within half a spacing",
    "move": "drag a column to where it belongs",
}
DOTS = "#ffb000"  # on grey, and for colour-blind eyes
SNAP = 0.06  # of the width of the spectrum that is shown, within which a click finds the highest peak
GRID = 41  # places along either axis at which it is looked for


def live_canvas(figure):
    """The canvas of a figure as a widget of ipympl, whatever backend other figures have."""
    backend = matplotlib.get_backend()
    ipympl = importlib.import_module("ipympl.backend_nbagg")  # whose import makes it the backend of all figures
    matplotlib.use(backend)
    canvas = ipympl.Canvas(figure)
    ipympl.FigureManager(canvas, 0)
    canvas.header_visible = canvas.footer_visible = False
    return canvas


class BraggPicker:
    """The spectrum of an image, in which a click takes the nearest peak as a Bragg vector in place of the older one.

    It is drawn by whatever backend matplotlib has: under ``%matplotlib widget``, or in a window.

    Parameters
    ----------
    image : (H, W) array, intensity [arb.], or a Micrograph

    Attributes
    ----------
    g : (2, 2) float array, the vectors, (y, x) [1/px], for `strain.gpa`; at first those that it picks itself
    figure, ax : matplotlib Figure and Axes

    Raises
    ------
    ValueError : no lattice in the image
    """

    def __init__(self, image):
        self.image = borders.middle(getattr(image, "image", image), strain.LOOKED_AT)
        self.windowed = bragg.windowed(self.image)
        self.g = strain.picked(self.image)
        self.figure, (self.ax,) = figures.panels(1, 6, 6)
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
                self.g = np.stack([self.g[1], taken])
                self.draw()

    def peak(self, place):
        """The peak (2,) of the spectrum nearest to a place, (y, x) [1/px], or None where nothing stands out."""
        reach = SNAP * abs(np.subtract(*self.ax.get_xlim()))
        axes = [at + np.linspace(-reach, reach, GRID) for at in place]
        power = bragg.power_at(self.windowed, *axes)
        row, column = np.unravel_index(power.argmax(), power.shape)
        if power.max() < bragg.STANDS * np.median(power):
            return None
        return bragg.refined(self.windowed, np.array([axes[0][row], axes[1][column]]))


class TuningPanel:
    """An image with its columns, sliders of the network's two parameters, and clicks that add, remove and move columns.

    Display it as a notebook cell's last value.

    Parameters
    ----------
    image : Micrograph or (H, W) float array
    model : str, see `detect.detect`
    settings : `editing.Settings` to begin with
    log : path of the YAML file that holds the parameters at any moment, for `editing.replayed` or a batch
    about : dict of other parameters that the log names, such as the image's path

    Attributes
    ----------
    editing : `editing.Editing`
    columns : DataFrame, see `detect.detect`
    figure, ax : matplotlib Figure and Axes
    """

    def __init__(self, image, *, model="atomid", settings=None, log=None, about=None):
        self.editing = editing.Editing(image, model=model, settings=settings, log=log, about=about)
        spacing = self.editing.columns.attrs["spacing"]
        wide = {"style": {"description_width": "13em"}, "layout": {"width": "30em"}}
        now = self.editing.settings
        self.lower_bound = FloatSlider(now.lower_bound, min=0.01, max=0.99, step=0.01, description="Filter Lower Bound", **wide)
        size = {"min": 0.1 * spacing, "max": 1.5 * spacing, "step": 0.01 * spacing, "readout_format": ".1f"}
        window_size = now.window_size or detect.window(self.editing.seen)
        self.window_size = FloatSlider(window_size, **size, description="Filter Window Size [px]", **wide)
        self.transparency = FloatSlider(1.0, min=0.0, max=1.0, step=0.05, description="Mask Transparency", **wide)
        self.live = Checkbox(True, description="Real-time", indent=False)
        self.process = Button(description="Process", tooltip="apply the sliders")
        self.mode = ToggleButtons(options=list(HINTS), tooltips=list(HINTS.values()), style={"button_width": "6em"})
        self.undo, self.redo = Button(description="Undo", icon="undo"), Button(description="Redo", icon="repeat")
        self.said = HTML()
        self.draw()
        self.listen()
        tuned = [self.lower_bound, self.window_size, self.transparency, HBox([self.live, self.process])]
        self.box = HBox([self.figure.canvas, VBox([*tuned, self.mode, HBox([self.undo, self.redo]), self.said])])

    @property
    def columns(self):
        """The columns as they are shown."""
        return self.editing.columns

    def _repr_mimebundle_(self, **kwargs):
        return self.box._repr_mimebundle_(**kwargs)

    def draw(self):
        """The figure, once; what changes later are its dots."""
        self.figure = Figure(figsize=(6.4, 6.4), layout="constrained")
        live_canvas(self.figure)
        self.ax = self.figure.add_subplot()
        image = self.editing.image
        figures.draw_image(self.ax, image if hasattr(image, "image") else Micrograph(self.editing.pixels, None, "array"))
        seen, (height, width) = self.editing.seen, self.editing.pixels.shape
        field = (-0.5, width - 0.5, height - 0.5, -0.5)
        self.mask = self.ax.imshow(seen.confidence, cmap="magma", vmin=0, vmax=1, extent=field, alpha=0.0 * seen.confidence)
        (self.dots,) = self.ax.plot([], [], "o", color=DOTS, markersize=4, markeredgecolor="black", markeredgewidth=0.4)
        self.show()

    def show(self):
        """The columns as dots, and how many there are."""
        self.dots.set_data(self.columns["x"], self.columns["y"])
        apart = ""
        if len(self.columns) > 1:
            apart = f", {np.median(neighbours.nearest_distance(self.columns[['y', 'x']])):.2f} px to the nearest (median)"
        self.said.value = f"{len(self.columns)} columns{apart}; {len(self.editing.settings.edits)} edits"
        self.figure.canvas.draw_idle()

    def listen(self):
        """Connect what is moved and clicked with what it does."""
        for slider in (self.lower_bound, self.window_size):
            slider.observe(self.moved, "value")
        self.transparency.observe(self.covered, "value")
        self.process.on_click(self.apply)
        self.undo.on_click(self.back)
        self.redo.on_click(self.forth)
        self.pressed = None
        self.figure.canvas.mpl_connect("button_press_event", self.press)
        self.figure.canvas.mpl_connect("button_release_event", self.release)

    def moved(self, _):
        """A slider's new value, applied at once if asked for."""
        if self.live.value:
            self.apply()

    def covered(self, _):
        """The network's map over the image, as visible as asked for."""
        self.mask.set_alpha((1 - self.transparency.value) * self.editing.seen.confidence)
        self.figure.canvas.draw_idle()

    def apply(self, _=None):
        """Columns by the sliders as they are."""
        self.editing.change(lower_bound=self.lower_bound.value, window_size=self.window_size.value)
        self.show()

    def back(self, _=None):
        """Undo, sliders included."""
        self.editing.undo()
        self.follow()

    def forth(self, _=None):
        """Redo, sliders included."""
        self.editing.redo()
        self.follow()

    def follow(self):
        """Put the sliders where the settings are."""
        live, self.live.value = self.live.value, False
        self.lower_bound.value = self.editing.settings.lower_bound
        self.window_size.value = self.editing.settings.window_size or detect.window(self.editing.seen)
        self.live.value = live
        self.show()

    def press(self, event):
        """A button went down on the image."""
        self.pressed = (event.ydata, event.xdata) if event.inaxes is self.ax else None

    def release(self, event):
        """It went up again: the click or the drag is an edit, unless the mouse only looks around."""
        start, self.pressed = self.pressed, None
        zooming = self.figure.canvas.toolbar is not None and self.figure.canvas.toolbar.mode
        if start is None or event.inaxes is not self.ax or zooming or self.mode.value == LOOK:
            return
        places = start if self.mode.value != "move" else (*start, event.ydata, event.xdata)
        held = self.editing.edit(self.mode.value, *map(float, places))
        self.show()
        if not held:
            self.said.value += "; no column within half a spacing of the click"
