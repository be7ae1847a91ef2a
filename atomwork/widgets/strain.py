"""The strain panel: Bragg vectors by click, the unstrained region by drag, and both ways of measuring with their errors."""

from html import escape

import numpy as np
from ipywidgets import Button, Dropdown, Layout, Text, ToggleButtons
from matplotlib.patches import Rectangle

from atomwork import figures, strain_figures
from atomwork.analysis import strain, strain_checks
from atomwork.analysis.strain_map import COMPONENTS
from atomwork.widgets.bragg_picker import BraggPicker
from atomwork.widgets.part import Part, slider
from atomwork.widgets.stage import Stage

SIZE = (7.7, 5.2)  # inch
PHASE, COLUMNS, APART = "phase", "columns", "disagreement"
COARSEST = 6.0  # of the fringes' period, up to which the resolution goes [-]
SMALLEST = 4  # px, side of a region that a drag makes a reference


class StrainPanel(Part):
    """Strain of an image by phase and by columns; see `strain.gpa`, `strain.from_columns` and `Part`."""

    notebook = "06_strain"

    def __init__(self, editing):
        super().__init__(editing, Stage(SIZE))
        before, image = self.before(), editing.micrograph
        self.scale, self.unit = (image.pixel_size, "Å") if image.pixel_size else (1.0, "px")
        grid = self.stage.figure.add_gridspec(2, 2, width_ratios=(1, 1.7))
        spectrum, self.ax = self.stage.figure.add_subplot(grid[0, 0]), self.stage.figure.add_subplot(grid[:, 1])
        self.spread = self.stage.figure.add_subplot(grid[1, 0])
        g = None if before.get("g1") is None else np.array([before["g1"], before["g2"]])
        self.picker = BraggPicker(image, ax=spectrum, g=g, changed=self.refresh)
        self.reference, self.start, self.maps, self.told = before.get("reference"), None, {}, ()
        self.show = ToggleButtons(options=[PHASE, COLUMNS, APART], style={"button_width": "8.6em"})
        self.component = Dropdown(options=COMPONENTS, description="component", layout=Layout(width="16em"))
        self.convention = Dropdown(options=["finite", "small"], description="convention", layout=Layout(width="16em"))
        self.convention.value = before.get("convention", "finite")
        period = self.scale / np.linalg.norm(self.picker.g, axis=1).min()
        chosen = before.get("resolution") or strain.RESOLUTION * period
        limits = strain.SHARPEST * period, COARSEST * period
        self.resolution = slider(chosen, *limits, f"Resolution [{self.unit}]")
        self.flattest = Button(description="Flattest reference", layout=Layout(width="12em"))
        typed = {"continuous_update": False, "style": {"description_width": "9em"}, "layout": Layout(width="27em")}
        self.vectors = Text(description="g1; g2 (y, x) [1/px]", **typed)
        self.region = Text(description="y0, y1, x0, x1 [px]", **typed)
        self.listen()
        self.lay_out(self.show, self.component, self.convention, self.resolution, self.vectors, self.region, self.flattest)
        self.refresh()

    def listen(self):
        """Connect what is set with what it does."""
        for control, act in (
            (self.show, self.draw),
            (self.component, self.draw),
            (self.convention, self.refresh),
            (self.resolution, self.refresh),
        ):
            control.observe(lambda _, act=act: act(), "value")
        self.flattest.on_click(lambda _: self.refer(None))
        self.vectors.observe(self.typed, "value")
        self.region.observe(self.typed, "value")
        self.stage.canvas.mpl_connect("button_press_event", self.press)
        self.stage.canvas.mpl_connect("button_release_event", self.release)

    def parameters(self):
        g1, g2 = self.picker.g.tolist()
        chosen = {"g1": g1, "g2": g2, "resolution": self.resolution.value, "reference": self.reference}
        return {**super().parameters(), **chosen, "convention": self.convention.value}

    def files(self):
        return {**super().files(), "strain.png": self.save}

    def save(self, path):
        """Write the components by both ways as a figure."""
        made, axes = figures.grid(len(self.maps), 4, 4.4, 3.7)
        strain_figures.draw_strains(np.atleast_2d(axes), self.maps)
        figures.save(made, path)

    def measure(self):
        """Strain by both ways with what is set."""
        self.remember()
        size, convention = self.resolution.value / self.scale, self.convention.value
        options = {"resolution": size, "convention": convention, "reference": self.reference}
        phase = strain.gpa(self.editing.micrograph, *self.picker.g, **options)
        options["reference"] = phase.reference
        self.maps = {"GPA": phase}
        self.maps["columns"] = strain.from_columns(self.editing.columns, shape=phase.exx.shape, **options)
        self.draw()
        self.told = (
            "; ".join(", ".join(f"{part:.5f}" for part in g) for g in self.picker.g),
            ", ".join(map(str, phase.reference)),
        )
        self.vectors.value, self.region.value = self.told
        self.said.value = str(strain_checks.scan_distortion(phase))

    def draw(self):
        """Show what is asked for of the strain as it was measured."""
        if not self.maps:
            return
        for ax in [ax for ax in self.stage.figure.axes if ax.get_label() == "<colorbar>"]:
            ax.remove()
        self.ax.clear()
        self.spread.clear()
        name, pixel_size = self.component.value, self.editing.micrograph.pixel_size
        if self.show.value == APART:
            apart = strain_checks.disagreement(*self.maps.values())
            strain_figures.draw_disagreement(self.ax, apart, pixel_size)
        else:
            found = self.maps["GPA" if self.show.value == PHASE else "columns"]
            unit, factor = ("°", np.degrees(1)) if name == "rotation" else ("%", 100)
            limit = factor * strain_figures.span(self.maps.values(), name)
            strain_figures.draw_component(self.ax, factor * getattr(found, name), pixel_size, limit, f"{name} [{unit}]")
            error = factor * np.nanmedian(getattr(found, f"{name}_std"))
            self.ax.set_title(f"± {error:.2g} {unit}; reference dashed, drag another", fontsize=9)
            y0, y1, x0, x1 = found.reference
            self.ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, linestyle="--"))
        strain_figures.draw_strain_histogram(self.spread, {way: one.hydrostatic for way, one in self.maps.items()})
        self.stage.show()

    def refer(self, region):
        """Take a region (y0, y1, x0, x1) [px] as unstrained, or the flattest one."""
        before, self.reference = self.reference, region
        try:
            self.measure()
        except ValueError as error:
            self.said.value, self.reference = escape(str(error), quote=False), before

    def typed(self, change):
        """Numbers in place of a click or a drag."""
        if change["new"] in self.told:
            return
        shape = (2, 2) if change["owner"] is self.vectors else (4,)
        try:
            numbers = np.reshape([float(part) for part in change["new"].replace(";", ",").split(",")], shape)
        except ValueError:
            text = escape(repr(change["new"]), quote=False)
            self.said.value = f"{text} is not {np.prod(shape)} numbers with commas between them; type them again."
            return
        if len(numbers) == 2:
            self.picker.take(numbers)
        else:
            self.refer(numbers.astype(int).tolist())

    def press(self, event):
        """A button went down on the map."""
        self.start = (event.ydata, event.xdata) if event.inaxes is self.ax and not self.stage.zooming else None

    def release(self, event):
        """It went up again: the rectangle between is the reference."""
        start, self.start = self.start, None
        if start is not None and event.inaxes is self.ax:
            corners = np.sort([start, (event.ydata, event.xdata)], axis=0)
            low, high = (np.clip(np.rint(corner), 0, self.editing.pixels.shape).astype(int).tolist() for corner in corners)
            if min(high[0] - low[0], high[1] - low[1]) >= SMALLEST:
                self.refer([low[0], high[0], low[1], high[1]])
