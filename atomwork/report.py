"""A self-contained HTML report: figures and numbers in one file that opens anywhere."""

import base64
import io
import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
from jinja2 import Environment

from atomwork.analysis import detect

_PAGE = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
figure { margin: 1rem 0; } img { max-width: 100%; border: 1px solid #ddd; } figcaption { color: #555; }
.note { background: #fff6e0; border-left: 4px solid #d9822b; padding: .5rem 1rem; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for note in notes %}<p class="note">{{ note }}</p>{% endfor %}
<h2>Summary</h2>
<table>{% for name, value in summary.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>{% endfor %}</table>
{% for caption, image in figures %}
<figure><img alt="{{ caption }}" src="data:image/png;base64,{{ image }}"><figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
<h2>The first columns</h2>
<table>
<tr>{% for name in header %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</table>
<p>atomwork {{ version }}; positions in pixels from the centre of the first pixel, ± one standard deviation.</p>
</body>
</html>
"""
)


def write(path, title, *, summary, figures, columns, notes=()):
    """Write a report under a temporary name and rename it.

    Parameters
    ----------
    path : path of the HTML file
    title : str
    summary : dict of str to value, shown as a table
    figures : dict of caption to matplotlib Figure
    columns : DataFrame, whose first rows are shown
    notes : sequence of str, warnings shown at the top

    Returns
    -------
    Path
    """
    path = Path(path)
    page = _PAGE.render(
        title=title,
        summary=summary,
        figures=[(caption, encode(figure)) for caption, figure in figures.items()],
        header=list(columns.columns),
        rows=[[f"{value:.4g}" for value in row] for row in columns.head(10).to_numpy(float)],
        notes=notes,
        version=version("atomwork"),
    )
    temporary = path.with_suffix(".partial")
    temporary.write_text(page, encoding="utf-8")
    os.replace(temporary, path)
    return path


def encode(figure, dpi=110):
    """A figure as base64 PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return base64.b64encode(buffer.getvalue()).decode()


def summarise(columns, labels, distance):
    """What a reader wants first.

    Parameters
    ----------
    columns : DataFrame of `analysis.detect.detect`
    labels : (N,) int array of `neighbours.brightness_classes`
    distance : (N,) float array of `neighbours.nearest_distance` within the classes [px]

    Returns
    -------
    dict of str to number : lengths in Å where the pixel size is known, else in px
    """
    scale, unit = (columns.attrs["pixel_size"], "Å") if columns.attrs.get("pixel_size") else (1.0, "px")
    error = np.hypot(columns["y_std"], columns["x_std"])
    result = {"columns": len(columns), "columns with error bars": int(error.notna().sum())}
    for kind, name in enumerate(("bright", "faint")[: labels.max(initial=0) + 1]):
        chosen = labels == kind
        result[f"{name} columns"] = int(chosen.sum())
        if np.isfinite(distance[chosen]).any():
            result[f"median spacing of {name} columns [{unit}]"] = round(float(scale * np.nanmedian(distance[chosen])), 4)
    if columns.attrs.get("expected_precision") is not None:
        result["share of columns expected to be right"] = round(columns.attrs["expected_precision"], 3)
    if error.notna().any():
        result[f"median position error (1σ) [{unit}]"] = round(float(scale * error.median() / np.sqrt(2)), 4)
    return result


def notes(columns):
    """What a reader should know before trusting the columns of `analysis.detect.detect`, as sentences."""
    found = [] if len(columns) else ["No column was found in this image."]
    scaled = [] if columns.attrs.get("pixel_size") else ["The file states no pixel size; lengths are in pixels."]
    doubt = detect.doubt(columns)
    return found + scaled + ([doubt] if doubt else [])


def write_summary(path, summary):
    """Write a dict as JSON under a temporary name and rename it."""
    path = Path(path)
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
    return path
