"""The defects panel: point defects, fronts and phases, and how sure a defect must be to count."""

from ipywidgets import HTML, Dropdown, Layout

from atomwork import figures
from atomwork.analysis import defects
from atomwork.columns import export
from atomwork.widgets.part import Part, slider
from atomwork.widgets.stage import Stage

SIZE = (6.4, 6.0)  # inch
MODELS = ("columns", "columns+atomgan", "atomgan")


class DefectsPanel(Part):
    """Defects of an image, see `defects.segment`; an image is segmented once a model, and the threshold chooses."""

    notebook = "08_defects"

    def __init__(self, editing):
        super().__init__(editing, Stage(SIZE))
        before = self.before()
        self.ax, self.found = self.stage.figure.add_subplot(), {}
        self.model = Dropdown(options=MODELS, description="Model", layout=Layout(width="27em"))
        self.model.value = before.get("model", "columns")
        self.lower_bound = slider(before.get("lower_bound", 0.0), 0.0, 1.0, "Least confidence", continuous_update=True)
        self.counts = HTML()
        self.model.observe(lambda _: self.refresh(), "value")
        self.lower_bound.observe(lambda _: self.refresh(), "value")
        self.lay_out(self.model, self.lower_bound, self.counts)
        self.refresh()

    def parameters(self):
        return {**super().parameters(), "model": self.model.value, "lower_bound": self.lower_bound.value}

    def files(self):
        return {**super().files(), "defects.csv": self.write, "defects.png": self.save}

    def write(self, path):
        """Write the table of defects."""
        export.to_csv(defects.quantify(self.sure).defects, path)

    def save(self, path):
        """Write the image with its defects as a figure."""
        made, (ax,) = figures.panels(1, 10, 10)
        figures.draw_defects(ax, self.editing.micrograph, self.sure)
        figures.save(made, path)

    @property
    def sure(self):
        """The `DefectMap` with what the threshold leaves."""
        return self.found[self.model.value].sure(self.lower_bound.value)

    def measure(self):
        """Segment the image, if that wasn't done, and count."""
        self.remember()
        if self.model.value not in self.found:
            self.said.value = "segmenting …"
            image = self.editing.micrograph
            self.found[self.model.value] = defects.segment(image.image, model=self.model.value, pixel_size=image.pixel_size)
        report = defects.quantify(self.sure)
        self.counts.value = report.counts.to_html(index=False, border=0)
        density = f", {report.density:.3f} per nm² of crystal" if report.density == report.density else ""
        self.said.value = f"{len(report.defects)} point defects on {report.n_sites} sites ({report.ratio:.2%}){density}"
        limits = self.ax.axis() if self.ax.images else None
        self.ax.clear()
        figures.draw_defects(self.ax, self.editing.micrograph, self.sure)
        if limits:
            self.ax.axis(limits)
        self.stage.show()
