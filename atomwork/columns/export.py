"""Columns in the forms that other programs read: CSV, HyperSpy markers, Atomap sublattices, ASE atoms."""

import os
import re
from itertools import groupby
from pathlib import Path

import atomap.api as am
import hyperspy.api as hs
import numpy as np
import orjson
import pandas as pd
from ase import Atoms

DIGITS = 7  # of a number at least: a position in an image of 4096² to 0.001 px


def to_csv(columns, path):
    """Write columns with their units in the header and lengths in Å beside pixels.

    Parameters
    ----------
    columns : DataFrame of `analysis.detect.detect`; ``attrs["pixel_size"]`` [Å] adds y_angstrom, x_angstrom
    path : path of the CSV file, written under a temporary name and renamed

    Notes
    -----
    Lines that begin with # hold the attributes; `read_csv` gives the same table back.
    """
    path = Path(path)
    table = columns.copy()
    pixel_size = columns.attrs.get("pixel_size")
    if pixel_size:
        table["y_angstrom"], table["x_angstrom"] = columns["y"] * pixel_size, columns["x"] * pixel_size
    temporary = path.with_suffix(".partial")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        for key in ("source", "pixel_size", "spacing"):
            if columns.attrs.get(key) is not None:
                file.write(f"# {key}: {columns.attrs[key]}\n")
        file.write("\n".join([",".join(map(quoted, table.columns)), *lines(table), ""]))
    os.replace(temporary, path)


def lines(table):
    """The rows of a table as CSV: numbers with `DIGITS`, nothing where nothing is known."""
    blocks = []
    for finite, columns in groupby((table[name] for name in table), is_finite):
        block = list(columns)
        # JSON of an array takes a fifth of the time of formatting its numbers, which a batch has for every frame
        blocks += [numbers(np.column_stack(block).astype(float))] if finite else map(texts, block)
    return map(",".join, zip(*blocks, strict=True))


def is_finite(values):
    """Whether a column holds floats, none of them infinite."""
    return values.dtype.kind == "f" and not np.isinf(values.to_numpy()).any()


def numbers(block):
    """Rows of an (N, M) float array, NaN or finite, as CSV."""
    if not len(block):
        return []
    with np.errstate(divide="ignore", invalid="ignore"):
        decimals = DIGITS - 1 - np.floor(np.log10(np.abs(block)))
    factor = 10.0 ** np.where(np.isfinite(decimals), decimals, 0).clip(0, 300)
    rounded = np.ascontiguousarray(np.rint(block * factor) / factor)
    return orjson.dumps(rounded, option=orjson.OPT_SERIALIZE_NUMPY).decode()[2:-2].replace("null", "").split("],[")


def texts(values):
    """Values of a column that are no finite numbers as CSV."""
    return ["" if gone else quoted(str(value)) for value, gone in zip(values, values.isna(), strict=True)]


def quoted(text):
    """A text as it stands in a CSV file."""
    return '"' + text.replace('"', '""') + '"' if re.search(r'[,"\n\r]', text) else text


def read_csv(path):
    """Columns written by `to_csv`, with their attributes; any CSV with columns y and x is read too.

    Raises
    ------
    ValueError : the file has no columns y and x
    """
    with open(path, encoding="utf-8") as file:
        comments = [line[1:].strip().split(": ", 1) for line in file if line.startswith("#")]
    table = pd.read_csv(path, comment="#")
    if not {"y", "x"} <= set(table.columns):
        raise ValueError(f"{path} has columns {list(table.columns)}; it needs y and x in pixels.")
    for key, value in comments:
        table.attrs[key] = value if key == "source" else float(value)
    return table


def to_markers(columns, color="red", size=6):
    """HyperSpy markers at the columns, for ``signal.add_marker``, on the signal's calibrated axes.

    Positions are in Å if ``attrs["pixel_size"]`` is known, else in pixels.
    """
    scale = columns.attrs.get("pixel_size") or 1.0
    return hs.plot.markers.Points(offsets=scale * columns[["x", "y"]].to_numpy(), sizes=size, facecolor=color)


def to_atomap(columns, image):
    """Atomap `Sublattice` of the columns, with the fitted widths.

    Parameters
    ----------
    columns : DataFrame with y, x [px], in pixels of ``image``
    image : (H, W) float array
    """
    sublattice = am.Sublattice(columns[["x", "y"]].to_numpy(), np.asarray(image, float))
    if "width" in columns:
        for atom, width in zip(sublattice.atom_list, columns["width"], strict=True):
            atom.sigma_x = atom.sigma_y = width
    return sublattice


def to_ase(columns, symbols="X"):
    """ASE `Atoms` in the plane z = 0, y downwards as in the image.

    Parameters
    ----------
    columns : DataFrame with y, x [px] and ``attrs["pixel_size"]`` [Å]
    symbols : str for all columns, or a list with one symbol each

    Raises
    ------
    ValueError : the pixel size is unknown
    """
    pixel_size = columns.attrs.get("pixel_size")
    if not pixel_size:
        raise ValueError("pixel_size is unknown, so atoms have no positions in Å; set columns.attrs['pixel_size'].")
    positions = np.zeros((len(columns), 3))
    positions[:, :2] = pixel_size * columns[["x", "y"]].to_numpy()
    return Atoms([symbols] * len(columns) if isinstance(symbols, str) else symbols, positions=positions)
