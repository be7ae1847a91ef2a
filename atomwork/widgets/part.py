"""What all panels are made of: a live figure with its controls beside it, a sentence, and a file of what was set."""

from html import escape

from ipywidgets import HTML, FloatSlider, HBox, Layout, VBox

from atomwork.analysis import edit_log

WIDE = {"style": {"description_width": "12.5em"}, "layout": Layout(width="27em")}


class Part:
    """A panel beside the columns' one.

    Parameters
    ----------
    editing : `editing.Editing`, whose image and columns it works on

    Attributes
    ----------
    stage : `Stage`, the live figure
    said : HTML, a sentence about what is shown
    log : path of a YAML file with what was set, for the notebook of the same name; None without a log of the columns
    """

    notebook = ""  # whose parameters are logged

    def __init__(self, editing, stage):
        self.editing, self.stage, self.said = editing, stage, HTML()
        self.log = editing.log and editing.log.with_name(f"{self.notebook}.yaml")

    def _repr_mimebundle_(self, **kwargs):
        return self.box._repr_mimebundle_(**kwargs)

    def lay_out(self, *controls):
        """Put the figure and its controls side by side, or below each other where there is no room."""
        beside = VBox([*controls, self.said], layout=Layout(width="28em"))
        self.box = HBox([self.stage.canvas, beside], layout=Layout(flex_flow="row wrap"))

    def before(self):
        """What was set for this image in an earlier session, or an empty dict."""
        found = edit_log.read(self.log) if self.log and self.log.is_file() else {}
        return found if found.get("image") == self.editing.about.get("image") else {}

    def remember(self):
        """Write what is set."""
        if self.log:
            edit_log.write(self.log, self.parameters())

    def parameters(self):
        """What is set, as the parameters of the notebook: dict."""
        return {"image": self.editing.about.get("image")}

    def files(self):
        """Files to download: dict of names and functions that write one to a path."""
        return {f"{self.notebook}.yaml": lambda path: edit_log.write(path, self.parameters())}

    def refresh(self):
        """Look again, since the columns may have changed; a sentence where that can't be done."""
        try:
            self.measure()
        except ValueError as error:
            self.said.value = escape(str(error), quote=False)


def slider(value, low, high, name, digits=2, **options):
    """A slider that acts once it is let go, since what follows takes a moment."""
    step = 10.0**-digits
    options = {"continuous_update": False, "readout_format": f".{digits}f", **WIDE, **options}
    return FloatSlider(min(max(value, low), high), min=low, max=high, step=step, description=name, **options)
