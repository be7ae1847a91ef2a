"""What people click and slide: figures that answer in a notebook or on a page."""

from atomwork.widgets.anomaly import AnomalyPanel as AnomalyPanel
from atomwork.widgets.bragg_picker import BraggPicker as BraggPicker
from atomwork.widgets.defects import DefectsPanel as DefectsPanel
from atomwork.widgets.desk import Desk as Desk
from atomwork.widgets.restoration import RestorationPanel as RestorationPanel
from atomwork.widgets.strain import StrainPanel as StrainPanel
from atomwork.widgets.tuning import TuningPanel as TuningPanel
