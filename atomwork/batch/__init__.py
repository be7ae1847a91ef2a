"""Notebooks or detection alone over many images: what is complete is skipped, what fails is named, nothing else is lost."""

from atomwork.batch.disk import Full as Full
from atomwork.batch.notebooks import NotebookError as NotebookError
from atomwork.batch.notebooks import check as check
from atomwork.batch.notebooks import execute as execute
from atomwork.batch.notebooks import parameters_of as parameters_of
from atomwork.batch.runs import detect as detect
from atomwork.batch.runs import run as run
