"""Live figures in which only what moves is drawn anew."""

import importlib

import matplotlib
from matplotlib.figure import Figure


def live_canvas(figure):
    """The canvas of a figure as a widget of ipympl, whatever backend other figures have."""
    backend = matplotlib.get_backend()
    ipympl = importlib.import_module("ipympl.backend_nbagg")  # whose import makes it the backend of all figures
    matplotlib.use(backend)
    canvas = ipympl.Canvas(figure)
    manager = ipympl.FigureManager(canvas, 0)
    canvas.mpl_disconnect(manager.key_press_handler_id)  # by which an l would make an axis logarithmic
    canvas.header_visible = canvas.footer_visible = False
    return canvas


class Stage:
    """A live figure, and artists that are drawn over a picture of all the others.

    Parameters
    ----------
    size : (2,) float, width and height [inch]

    Attributes
    ----------
    figure : matplotlib Figure
    canvas : its canvas, a widget
    moving : list of artists, which `show` draws anew; other changes need `canvas.draw_idle`
    """

    def __init__(self, size):
        self.figure = Figure(figsize=size, layout="constrained")
        self.canvas = live_canvas(self.figure)
        self.moving, self.still = [], None
        self.canvas.mpl_connect("draw_event", self.drawn)

    def move(self, *artists):
        """Take artists among those that move, which the figure itself then leaves out."""
        for artist in artists:
            artist.set_animated(True)
            self.moving.append(artist)

    def drawn(self, event):
        """Draw what moves over the rest, of which the page's own canvas keeps a picture."""
        if event.canvas is self.canvas:
            self.still = self.canvas.copy_from_bbox(self.figure.bbox)
        self.over(event.renderer)

    def over(self, renderer):
        """Draw what moves."""
        for artist in self.moving:
            artist.draw(renderer)

    def show(self):
        """Bring what moves up to date on the page."""
        if self.still is None:
            self.canvas.draw_idle()
            return
        self.canvas.restore_region(self.still)
        self.over(self.canvas.get_renderer())
        self.canvas.blit(self.figure.bbox)
