"""The anomaly panel: which columns differ from their neighbours, and by how many standard deviations they must to count."""

import numpy as np
from ipywidgets import HTML

from atomwork import figures
from atomwork.analysis import anomaly
from atomwork.columns import export
from atomwork.widgets.part import Part, slider
from atomwork.widgets.stage import Stage

SIZE = (6.4, 6.0)  # inch
USUAL, LARGEST = 5.0, 20.0  # standard deviations
SHOWN = 8  # of the oddest, in the table


class AnomalyPanel(Part):
    """Odd columns of an image, see `anomaly.score`."""

    notebook = "anomaly"

    def __init__(self, editing):
        super().__init__(editing, Stage(SIZE))
        self.ax = self.stage.figure.add_subplot()
        figures.draw_image(self.ax, editing.micrograph)
        style = {"linestyle": "none", "markersize": 9, "markeredgewidth": 1.5, "fillstyle": "none"}
        signs = zip((*anomaly.WHAT, anomaly.STRAY), figures.SIGNS, figures.RINGS, strict=False)
        self.rings = {what: self.ax.plot([], [], sign, color=color, label=what, **style)[0] for what, sign, color in signs}
        self.ax.legend(loc="upper right", fontsize=8)
        self.stage.move(*self.rings.values())
        self.threshold = slider(self.before().get("threshold", USUAL), 2.0, LARGEST, "Threshold [σ]", 1, continuous_update=True)
        self.oddest = HTML()
        self.threshold.observe(lambda _: self.show(), "value")
        self.lay_out(self.threshold, self.oddest)
        self.refresh()

    def parameters(self):
        return {**super().parameters(), "threshold": self.threshold.value}

    def files(self):
        return {**super().files(), "anomalies.csv": lambda path: export.to_csv(self.odd, path)}

    def measure(self):
        """Score the columns as they are."""
        self.found = anomaly.score(self.editing.columns)
        self.show()

    @property
    def odd(self):
        """The columns beyond the threshold, the oddest first."""
        return self.found.beyond(self.threshold.value)

    def show(self):
        """Ring the columns beyond the threshold."""
        self.remember()
        odd = self.odd
        for what, ring in self.rings.items():
            some = odd[odd["what"] == what]
            ring.set_data(some["x"], some["y"])
        table = odd.head(SHOWN)[["y", "x", "score", "what"]].rename(
            columns={"y": "y [px]", "x": "x [px]", "score": "score [σ]"}
        )
        self.oddest.value = table.replace(np.inf, np.nan).to_html(index=False, border=0, float_format="%.1f", na_rep="–")
        share = len(odd) / max(len(self.found.columns), 1)
        self.said.value = f"{len(odd)} of {len(self.found.columns)} columns ({share:.2%}) are odd by {self.threshold.value:g} σ"
        self.stage.show()
