"""A page of a batch: a row for every run, sortable, with a thumbnail and a link to what it wrote or why it stopped."""

import os
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment

SHOWN = 5000  # rows; a browser takes seconds to sort many more
THUMBNAILS = ("overlay.png", "segmentation.png", "strain.png")  # the first of them that a run wrote, else any picture
_PAGE = Environment(autoescape=True).from_string(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; }
table { border-collapse: collapse; } td, th { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: left; }
th button { font: inherit; font-weight: bold; border: 0; background: none; cursor: pointer; padding: 0; }
img { height: 128px; } .sentence { min-width: 20rem; } .failed td { background: #fff0e6; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>{{ done }} of {{ total }} complete.{% if done < total %} Those that are not say why.{% endif %}
{% if rows|length < total %}The first {{ rows|length }} are shown, failed ones first; summary.csv has all.{% endif %}</p>
<table>
<thead><tr><th></th>{% for name in names %}<th><button>{{ name }}</button></th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}<tr{% if not row.ok %} class="failed"{% endif %}>
<td>{% if row.picture %}<a href="{{ row.picture }}">
<img loading="lazy" alt="{{ row.source }}" src="{{ row.picture }}"></a>{% endif %}</td>
<td><a href="{{ row.link }}">{{ row.cells[0] }}</a></td>
{% for value in row.cells[1:] %}<td{% if value|string|length > 40 %} class="sentence"{% endif %}>{{ value }}</td>
{% endfor %}</tr>
{% endfor %}</tbody>
</table>
<script>
document.querySelectorAll("th button").forEach((button, k) => button.addEventListener("click", () => {
  const body = document.querySelector("tbody"), up = button.dataset.up !== "yes";
  const cell = (row) => row.cells[k + 1].textContent.trim();
  const order = (a, b) => (isNaN(cell(a)) || isNaN(cell(b)) ? cell(a).localeCompare(cell(b)) : cell(a) - cell(b));
  button.dataset.up = up ? "yes" : "no";
  [...body.rows].sort((a, b) => (up ? 1 : -1) * order(a, b)).forEach((row) => body.append(row));
}));
</script>
</body>
</html>
"""
)


def page(out_dir, title, table):
    """The page as HTML, to lie in ``out_dir``.

    Parameters
    ----------
    out_dir : Path, where the runs' folders are
    title : str
    table : DataFrame of `runs.run`

    Returns
    -------
    str
    """
    names = ["source", "error", *(name for name in table.columns if name not in ("source", "out_dir", "ok", "error", "detail"))]
    names = [name for name in names if name == "source" or (table[name].notna() & (table[name] != "")).any()]
    rows, total, done = [], len(table), int(table["ok"].sum())
    if total > SHOWN:
        table = table.sort_values("ok", kind="stable").head(SHOWN)
    for row in table.to_dict("records"):
        cells = [shown(row[name]) for name in names]
        folder = Path(row["out_dir"])
        link = row["detail"] if not row["ok"] else os.path.relpath(folder, out_dir) + "/"
        drawn = picture(folder) if row["ok"] else None
        drawn = drawn and quote(os.path.relpath(drawn, out_dir))
        rows.append({"source": row["source"], "ok": row["ok"], "cells": cells, "link": quote(link), "picture": drawn})
    return _PAGE.render(title=title, names=names, rows=rows, done=done, total=total)


def shown(value):
    """A value as it stands in the table; nothing where it is missing."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"
    return value


def picture(folder):
    """The picture that stands for a run, or None."""
    pictures = [folder / name for name in THUMBNAILS if (folder / name).is_file()] or sorted(folder.glob("*.png"))
    return pictures[0] if pictures else None
