"""All panels of one image, and the images to choose from: what notebook 13 shows, and the page that Voilà makes of it."""

from html import escape
from pathlib import Path

from ipywidgets import HTML, Dropdown, HBox, Layout, ToggleButtons, VBox

from atomwork import micrograph
from atomwork.analysis import edit_log
from atomwork.analysis.edits import Settings
from atomwork.micrograph import KINDS
from atomwork.widgets.anomaly import AnomalyPanel
from atomwork.widgets.defects import DefectsPanel
from atomwork.widgets.page import Page
from atomwork.widgets.restoration import RestorationPanel
from atomwork.widgets.session import folder_of_page
from atomwork.widgets.strain import StrainPanel
from atomwork.widgets.tuning import TuningPanel

UPLOADS = "uploads"
COLUMNS = "Columns"
PARTS = {"Strain": StrainPanel, "Defects": DefectsPanel, "Restoration": RestorationPanel, "Anomaly": AnomalyPanel}


class Desk:
    """An image chosen from a folder, from the samples or uploaded, and the panels to work on it.

    Display it as a notebook cell's last value.

    Parameters
    ----------
    image : str, path or ``sample:NAME``, see `micrograph.load`
    out_dir : path for parameters.yaml, which holds the panel's parameters at any moment, for uploads and for downloads; where
        nothing but the image is asked for, the desk goes on from what it finds there
    model : str, see `detect.detect`
    asked : dict with lower_bound, window_size and edits, see `edits.Settings`
    folder : path of a folder of images to choose from, or None

    Attributes
    ----------
    panel : `TuningPanel`
    out_dir : Path, a folder of its own for every page of Voilà

    Raises
    ------
    FileNotFoundError, ValueError : the image can't be read; the folder does not exist
    """

    def __init__(self, image, *, out_dir, model="atomid", asked=None, folder=None):
        self.out_dir, name = folder_of_page(out_dir)
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self.folder, self.model, self.log = folder and checked(folder), model, self.out_dir / "parameters.yaml"
        self.said = HTML()
        if name and self.log.is_file():
            image = edit_log.read(self.log)["image"]
        self.open(image, asked or {})
        self.shown = self.panel
        self.source = Dropdown(options=self.sources(image), value=image, description="Image", layout=Layout(width="27em"))
        self.source.observe(self.turned, "value")
        self.page = Page(self.out_dir / UPLOADS, self.arrived, lambda: self.shown.files(), self.out_dir, address=name)
        self.choice, self.space = ToggleButtons(options=[COLUMNS, *PARTS]), VBox()
        self.choice.observe(self.opened, "value")
        self.fill()
        self.box = VBox(
            [HBox([self.source, self.page], layout=Layout(flex_flow="row wrap")), self.choice, self.said, self.space]
        )

    def _repr_mimebundle_(self, **kwargs):
        return self.box._repr_mimebundle_(**kwargs)

    def sources(self, image):
        """Names and sources of the images to choose from, the given one first."""
        found = [p for p in sorted(self.folder.iterdir()) if is_image(p, self.folder)] if self.folder else []
        uploads = self.out_dir / UPLOADS
        found += [p for p in sorted(uploads.iterdir()) if is_image(p, uploads)] if uploads.is_dir() else []
        every = [image, *map(str, found), *(f"sample:{name}" for name in micrograph.samples())]
        return [(source if source.startswith("sample:") else Path(source).name, source) for source in dict.fromkeys(every)]

    def open(self, source, asked):
        """Begin, or go on, with an image."""
        recorded = micrograph.load(source)
        found = edit_log.resumed(self.log, {"image": source, "model": self.model, **Settings.of(asked).parameters()})
        settings = {"model": found["model"], "settings": Settings.of(found)}
        self.panel = TuningPanel(recorded, **settings, log=self.log, about={"image": source})

    def fill(self):
        """Show the image's columns, and make the other panels when they are asked for."""
        self.parts = {}
        self.choice.value = COLUMNS
        self.opened()

    def opened(self, _=None):
        """Show the panel that is asked for; what it measured before is measured again by the columns as they are."""
        name, self.shown, self.said.value = self.choice.value, self.panel, ""
        if name != COLUMNS:
            self.said.value = f"{name} of {self.panel.editing.micrograph.name} …"
            try:
                if name in self.parts:
                    self.parts[name].refresh()
                else:
                    self.parts[name] = PARTS[name](self.panel.editing)
                self.shown, self.said.value = self.parts[name], ""
            except ValueError as error:
                self.said.value = escape(str(error), quote=False)
        self.space.children = [] if self.said.value else [self.shown.box]
        self.page.names = list(self.shown.files())

    def turned(self, change):
        """Another image was chosen; one that can't be read leaves everything as it was."""
        try:
            self.open(change["new"], {})
        except (ValueError, OSError) as error:
            self.said.value = escape(str(error), quote=False)
            self.source.unobserve(self.turned, "value")
            self.source.value = change["old"]
            self.source.observe(self.turned, "value")
            return
        self.said.value = ""
        self.fill()

    def arrived(self, path):
        """A file was uploaded."""
        before = self.source.value
        self.source.unobserve(self.turned, "value")
        self.source.options = self.sources(before)
        self.source.value = before
        self.source.observe(self.turned, "value")
        self.source.value = str(path)


def checked(folder):
    """A folder that exists."""
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"folder {folder} does not exist; give a folder of images.")
    return folder


def is_image(path, folder):
    """Whether a file of a folder is of a kind that is read, and lies in it and not elsewhere by a link."""
    return path.suffix.lower() in KINDS and path.is_file() and path.resolve().is_relative_to(folder.resolve())
