"""Columns as other programs read them."""

import hyperspy.api as hs
import numpy as np
import pandas as pd
import pytest

from atomwork.columns import export


@pytest.fixture
def columns(rng):
    table = pd.DataFrame(rng.uniform(5, 60, (9, 2)), columns=["y", "x"])
    table["y_std"] = table["x_std"] = 0.05
    table["width"] = 2.5
    table.attrs.update(pixel_size=0.2, spacing=12.5, source="sample:mos2")
    return table


def test_csv_gives_the_same_table_back(tmp_path, columns):
    export.to_csv(columns, tmp_path / "columns.csv")
    found = export.read_csv(tmp_path / "columns.csv")
    assert found.attrs == columns.attrs
    assert np.allclose(found[["y", "x"]], columns[["y", "x"]], atol=1e-3)
    assert np.allclose(found["y_angstrom"], 0.2 * columns["y"], atol=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == ["columns.csv"]


def test_a_csv_without_positions_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="needs y and x"):
        export.read_csv(tmp_path / "other.csv")


def test_atomap_gets_x_before_y(columns):
    sublattice = export.to_atomap(columns, np.zeros((64, 64)))
    assert np.allclose(sublattice.x_position, columns["x"])
    assert np.allclose(sublattice.y_position, columns["y"])
    assert sublattice.atom_list[0].sigma_x == 2.5


def test_ase_atoms_are_in_angstrom(columns):
    atoms = export.to_ase(columns, "Mo")
    assert np.allclose(atoms.positions[:, :2], 0.2 * columns[["x", "y"]])
    assert set(atoms.get_chemical_symbols()) == {"Mo"}
    columns.attrs["pixel_size"] = None
    with pytest.raises(ValueError, match="pixel_size"):
        export.to_ase(columns)


def test_markers_lie_on_calibrated_axes(columns):
    signal = hs.signals.Signal2D(np.zeros((64, 64)))
    markers = export.to_markers(columns)
    signal.add_marker(markers, permanent=True, plot_marker=False)
    assert np.allclose(markers.kwargs["offsets"], 0.2 * columns[["x", "y"]])


def test_tables_of_any_kind_are_read_as_if_pandas_had_written_them(tmp_path, rng):
    numbers = rng.normal(size=500) * 10.0 ** rng.integers(-12, 12, 500)
    numbers[:4] = np.nan, -0.0, 1e6, 999999.99
    table = pd.DataFrame({"y": numbers, "x": numbers.astype(np.float32), "count": np.arange(500), "kind": 'V_S, "odd"\nö'})
    table = table.assign(sure=numbers > 0, limit=[np.inf, -np.inf, np.nan, 0.5] * 125, name=["a", None] * 250, **{"a, b": 1.5})
    export.to_csv(table, tmp_path / "ours.csv")
    table.to_csv(tmp_path / "theirs.csv", index=False)
    ours, theirs = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours, theirs, rtol=5.1e-7, atol=0)
    export.to_csv(table[:0], tmp_path / "ours.csv")
    assert pd.read_csv(tmp_path / "ours.csv").columns.tolist() == list(table)


def test_positions_in_a_large_image_keep_a_thousandth_of_a_pixel(tmp_path, rng):
    table = pd.DataFrame(rng.uniform(1000, 4096, (500, 2)), columns=["y", "x"])
    export.to_csv(table, tmp_path / "columns.csv")
    assert np.abs(export.read_csv(tmp_path / "columns.csv") - table).max(axis=None) < 5.1e-4
    assert max(map(len, (tmp_path / "columns.csv").read_text().split())) == len("1234.567,1234.567")
