"""The panel: sliders of the detector's two parameters, and clicks that add, remove and move columns."""

import time

import numpy as np
from ipywidgets import HTML, BoundedIntText, Button, Checkbox, FloatSlider, HBox, Layout, Output, ToggleButtons, VBox

from atomwork import figures
from atomwork.analysis import detect, edit_log, editing, finetune
from atomwork.analysis.edits import REGION
from atomwork.columns import export, neighbours
from atomwork.widgets.overlay import Overlay
from atomwork.widgets.part import WIDE
from atomwork.widgets.stage import later

LOOK = "look"
HINTS = {
    LOOK: "clicks change nothing; zoom and pan with the toolbar",
    "add": "a click adds a column, which is fitted at once",
    "remove": "a click removes the nearest column within half a spacing",
    "move": "drag a column to where it belongs",
    "include": "drag a rectangle outside of which no column counts",
    "ignore": "drag a rectangle in which no column counts",
    "truth": "click every column of a small area: the others there are judged by these marks; a second click takes one away",
}
DRAGGED = ("move", *REGION)
KEYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
KEY_STEP = 0.25  # of the spacing, by which an arrow key moves the cursor
KEY_HELP = (
    "<details><summary>Keys on the image</summary>Arrows move a cursor, Enter clicks there, twice for a drag; Esc lets go; "
    "Ctrl+Z and Ctrl+Y undo and redo.</details>"
)
REST = 0.15  # s without a movement after which a slider rests
MERGED = 1.0  # s within which movements of one slider are undone together


class TuningPanel:
    """An image with its columns, sliders of the network's two parameters, and clicks that add, remove and move columns.

    Display it as a notebook cell's last value.

    Parameters
    ----------
    image : Micrograph or (H, W) float array
    model : str, see `detect.detect`
    settings : `edits.Settings` to begin with
    log : path of the YAML file that holds the parameters at any moment, for `editing.replayed` or a batch
    about : dict of other parameters that the log names, such as the image's path

    Attributes
    ----------
    editing : `editing.Editing`
    columns : DataFrame, see `detect.detect`
    overlay : `Overlay`, the live figure
    """

    def __init__(self, image, *, model="atomid", settings=None, log=None, about=None):
        self.editing = editing.Editing(image, model=model, settings=settings, log=log, about=about)
        self.overlay = Overlay(self.editing)
        self.make_sliders()
        self.mode = ToggleButtons(options=list(HINTS), tooltips=list(HINTS.values()), style={"button_width": "5.6em"})
        self.undo, self.redo = (Button(description=name, layout=Layout(width="6em")) for name in ("Undo", "Redo"))
        self.learn = Button(description="Learn from these columns", layout=Layout(width="14em"), tooltip=self.learned.__doc__)
        self.steps = BoundedIntText(100, min=3, max=2000, description="steps", layout=Layout(width="11em"))
        self.said, self.hint, self.told = HTML(), HTML(), Output()
        self.pending, self.last, self.following, self.start, self.place = None, (None, -np.inf), False, None, None
        self.listen()
        self.show()
        tuned = [self.lower_bound, self.window_size, self.transparency, HBox([self.live, self.process])]
        clicked = [self.mode, self.hint, HBox([self.undo, self.redo]), self.said, HBox([self.learn, self.steps]), self.told]
        controls = VBox([*tuned, *clicked], layout=Layout(width="28em"))
        self.box = HBox([self.overlay.canvas, controls], layout=Layout(flex_flow="row wrap"))

    def make_sliders(self):
        """The sliders, where the settings are."""
        now, spacing = self.editing.settings, self.editing.seen.spacing
        bound = min(max(now.lower_bound, 0.01), 0.99)
        self.lower_bound = FloatSlider(bound, min=0.01, max=0.99, step=0.01, description="Filter Lower Bound", **WIDE)
        size = {"min": 0.1 * spacing, "max": 1.5 * spacing, "step": 0.01 * spacing, "readout_format": ".1f"}
        self.window_size = FloatSlider(self.window(), **size, description="Filter Window Size [px]", **WIDE)
        self.transparency = FloatSlider(1.0, min=0.0, max=1.0, step=0.05, description="Mask Transparency", **WIDE)
        self.live = Checkbox(True, description="Real-time", indent=False, layout=Layout(width="8em"))
        self.process = Button(description="Process", tooltip="apply the sliders")

    @property
    def columns(self):
        """The columns as they are shown."""
        return self.editing.columns

    def window(self):
        """The window's size [px], as it is set or as it is by itself."""
        return self.editing.settings.window_size or detect.window(self.editing.seen)

    def files(self):
        """Files to download: dict of names and functions that write one to a path."""
        return {
            "columns.csv": lambda path: export.to_csv(self.columns, path),
            "parameters.yaml": lambda path: edit_log.write(path, self.editing.parameters()),
            "overlay.png": self.save,
            "overlay.pdf": self.save,
        }

    def save(self, path):
        """Write the image with its columns as a figure."""
        made, ax = figures.panels(1)
        figures.draw_overlay(ax[0], self.editing.micrograph, self.columns)
        figures.save(made, path)

    def _repr_mimebundle_(self, **kwargs):
        return self.box._repr_mimebundle_(**kwargs)

    def listen(self):
        """Connect what is moved and clicked with what it does."""
        for slider in (self.lower_bound, self.window_size):
            slider.observe(self.moved, "value")
        self.transparency.observe(self.covered, "value")
        self.mode.observe(self.chosen, "value")
        for button, act in (
            (self.process, self.apply),
            (self.undo, self.back),
            (self.redo, self.forth),
            (self.learn, self.learned),
        ):
            button.on_click(act)
        canvas = self.overlay.canvas
        for event, act in (("press", self.press), ("release", self.release)):
            canvas.mpl_connect(f"button_{event}_event", act)
        canvas.mpl_connect("motion_notify_event", self.drag)
        canvas.mpl_connect("key_press_event", self.key)
        self.chosen()

    def show(self):
        """The columns as they are, and how many there are."""
        self.wait_no_more()
        self.overlay.update(self.editing, self.columns)
        said = [f"<b>{len(self.columns)} columns</b>"]
        if len(self.columns) > 1:
            apart = np.median(neighbours.nearest_distance(self.columns[["y", "x"]]))
            pixel_size = self.editing.micrograph.pixel_size
            said.append(f"{apart:.2f} px to the nearest" + (f" ({apart * pixel_size:.3f} Å)" if pixel_size else ""))
        said.append(f"{len(self.editing.settings.edits)} edits")
        if judged := self.editing.agreement():
            said.append(f"F1 {judged.f1:.3f} by {judged.n_truth} marks")
        if doubt := detect.doubt(self.columns):
            said.append(doubt)
        self.said.value = "; ".join(said)

    def say(self, sentence):
        """Add a sentence to what is said of the columns."""
        self.said.value += f"; {sentence}"

    def moved(self, change):
        """A slider's new value, applied at once if asked for; a drag is one change to undo."""
        if self.live.value and not self.following:
            before, when = self.last
            self.last = change["owner"], time.monotonic()
            self.apply(merge=before is change["owner"] and self.last[1] - when < MERGED)

    def covered(self, _=None):
        """The network's map over the image, as visible as asked for."""
        self.overlay.cover(self.editing.seen.confidence, 1 - self.transparency.value)

    def chosen(self, _=None):
        """What a click does from now on."""
        self.hint.value = f"{HINTS[self.mode.value]}{KEY_HELP}"
        self.let_go()

    def apply(self, _=None, merge=False):
        """Columns by the sliders as they are: those of the map at once, and their fits when the slider rests."""
        size = self.window_size.value
        if abs(size - self.window()) < 1e-9:  # not touched
            size = self.editing.settings.window_size
        self.editing.change(merge=merge, lower_bound=self.lower_bound.value, window_size=size)
        self.overlay.update(self.editing, self.editing.glimpse())
        self.wait_no_more()
        self.pending = later(REST, self.show)

    def wait_no_more(self):
        """Forget that columns are to be fitted when the slider rests."""
        if self.pending is not None:
            self.pending.cancel()
        self.pending = None

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
        self.following, self.last = True, (None, -np.inf)
        self.lower_bound.value, self.window_size.value = self.editing.settings.lower_bound, self.window()
        self.following = False
        self.show()

    def learned(self, _=None):
        """Fine-tune the network on the columns as they are, a quarter of the image held back; minutes on a CPU"""
        if self.editing.log is None:
            self.say("give the panel a log, beside which the new weight can lie")
            return
        self.told.clear_output()
        self.say("learning, which takes some minutes …")
        frame, labels, folder = self.editing.micrograph, self.editing.labels(), self.editing.log.parent / "finetuned"
        asked = {"model": self.editing.about["model"], "max_steps": self.steps.value}
        try:
            with self.told:
                result = finetune.finetune([frame], [labels], folder, **asked)
        except ValueError as error:
            self.say(str(error))
            return
        if result.share:
            self.editing.take(result.model)
            self.covered()
            self.show()
        kept = "is used from now on" if result.share else "finds no more, and the old one is kept"
        first, last = result.scores.loc[0.0], result.scores.loc[result.share or 1.0]
        self.say(
            f"F1 {first['held back']:.3f} → {last['held back']:.3f} on the quarter held back, {first['simulated']:.3f} → "
            f"{last['simulated']:.3f} on simulated images: the new weight {kept}"
        )

    def press(self, event):
        """A button went down on the image."""
        looks = self.mode.value == LOOK or self.overlay.zooming
        self.start = (event.ydata, event.xdata) if event.inaxes is self.overlay.ax and not looks else None

    def drag(self, event):
        """The mouse moves with a button down."""
        if self.start is not None and event.inaxes is self.overlay.ax and self.mode.value in DRAGGED:
            self.overlay.draw_trace(self.mode.value, self.start, (event.ydata, event.xdata))

    def release(self, event):
        """The button went up again: the click or the drag is an edit."""
        if self.start is not None and event.inaxes is self.overlay.ax:
            self.edit(self.start, (event.ydata, event.xdata))
        else:
            self.let_go()

    def edit(self, start, end):
        """A click at start, or a drag from there to end, (y, x) each [px]."""
        mode = self.mode.value
        self.let_go()
        self.last = (None, -np.inf)
        held = self.editing.edit(mode, *map(float, (*start, *end) if mode in DRAGGED else start))
        self.show()
        if not held:
            self.say("no column within half a spacing of the click")

    def let_go(self):
        """Forget a drag that isn't done."""
        self.start = None
        self.overlay.draw_trace(self.mode.value, None, None)

    def key(self, event):
        """A key on the image does what the mouse does: arrows move, Enter clicks; where a drag is asked for, twice."""
        middle = np.mean([self.overlay.ax.get_ylim(), self.overlay.ax.get_xlim()], axis=1)
        place = middle if self.place is None else self.place
        if event.key in KEYS:
            moved = place + KEY_STEP * self.editing.seen.spacing * np.array(KEYS[event.key])
            self.place = moved.clip(0, np.array(self.editing.pixels.shape) - 1)
            self.overlay.point(self.place)
            if self.start is not None:
                self.overlay.draw_trace(self.mode.value, self.start, self.place)
        elif event.key == "enter" and self.mode.value != LOOK:
            if self.mode.value in DRAGGED and self.start is None:
                self.start = tuple(place)
            else:
                self.edit(self.start or tuple(place), tuple(place))
        elif event.key == "escape":
            self.let_go()
        elif event.key in ("ctrl+z", "cmd+z", "ctrl+y", "cmd+y"):
            (self.back if event.key.endswith("z") else self.forth)()
