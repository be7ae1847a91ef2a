"""Notebooks over many images: what is complete is skipped, what fails is named, and nothing else is lost."""

from atomwork.batch.notebooks import NotebookError as NotebookError
from atomwork.batch.notebooks import check as check
from atomwork.batch.notebooks import execute as execute
from atomwork.batch.notebooks import parameters_of as parameters_of
from atomwork.batch.runs import run as run
