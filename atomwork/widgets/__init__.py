"""What people click and slide: figures that answer in a notebook or on a page."""

from atomwork.widgets.bragg_picker import BraggPicker as BraggPicker
from atomwork.widgets.desk import Desk as Desk
from atomwork.widgets.tuning import TuningPanel as TuningPanel
