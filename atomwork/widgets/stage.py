"""Live figures in which only what moves is drawn anew."""

import asyncio
import importlib
import math
import time
from functools import cache

import matplotlib
from matplotlib.figure import Figure

DECODED = 0.1  # s after which a page usually has drawn what it was sent
WHOLE = 0.4  # s after the last change until the whole picture is sent


@cache
def live():
    """Classes of a canvas and its manager: ipympl's, whatever backend other figures have, on which a `Stage` draws quickly."""
    backend = matplotlib.get_backend()
    ipympl = importlib.import_module("ipympl.backend_nbagg")  # whose import makes it the backend of all figures
    matplotlib.use(backend)

    class Canvas(ipympl.Canvas):
        stage = None

        def draw(self):
            """Draw what the page asked for: all of it only where something has changed that doesn't move."""
            if self.stage is None or self.stage.still is None or self.figure.stale:
                super().draw()
            else:
                self.stage.quickly()

    return Canvas, ipympl.FigureManager


class Stage:
    """A live figure, and artists that are drawn over a picture of all the others.

    Parameters
    ----------
    size : (2,) float, width and height [inch]

    Attributes
    ----------
    figure : matplotlib Figure
    canvas : its canvas, a widget
    moving : list of artists, which alone are drawn where nothing else has changed
    """

    def __init__(self, size):
        self.figure, self.moving = Figure(figsize=size, layout="compressed"), []
        self.still, self.sent, self.pending = None, -math.inf, None
        canvas, manager = live()
        self.canvas = canvas(self.figure)
        self.canvas.mpl_disconnect(manager(self.canvas, 0).key_press_handler_id)  # an l would make an axis logarithmic
        self.canvas.header_visible = self.canvas.footer_visible = False
        self.canvas.stage = self
        self.canvas.mpl_connect("draw_event", self.drawn)

    @property
    def zooming(self):
        """Whether the toolbar has the mouse, to zoom or to pan."""
        return self.canvas.toolbar is not None and bool(self.canvas.toolbar.mode)

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
        self.sent = time.monotonic()

    def over(self, renderer):
        """Draw what moves."""
        for artist in self.moving:
            artist.draw(renderer)
        self.figure.stale = False  # the parts of a scale bar say that they changed whenever they are drawn

    def quickly(self):
        """Draw what moves over the picture that was kept."""
        self.canvas.restore_region(self.still)
        self.over(self.canvas.get_renderer())
        self.canvas.blit(self.figure.bbox)
        self.sent = time.monotonic()

    def show(self):
        """Send what has changed to the page, which skips what comes too soon: then it has to ask for it."""
        if self.still is None or self.figure.stale or time.monotonic() - self.sent < DECODED:
            self.canvas.draw_idle()
        else:
            self.quickly()
        if self.pending is not None:
            self.pending.cancel()
        self.pending = later(WHOLE, lambda: self.canvas.handle_refresh(None))  # in case a busy page has skipped one after all


def later(seconds, act):
    """Act after a while, if an event loop runs that can wait: what takes it back; else at once."""
    try:
        return asyncio.get_running_loop().call_later(seconds, act)
    except RuntimeError:
        act()
        return None
