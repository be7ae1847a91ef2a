"""Displacements of one sublattice against another: by construction, and of a ferroelectric by its simulated image."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from atomwork.analysis import detect, displacements
from atomwork.columns import sublattices
from atomwork.simulation import forward, structures, views

VECTORS = np.array([[0.0, 30.0], [32.0, 1.0]])  # px


def perovskite(shift, gradient=((1, 0), (0, 1)), side=400):
    """Columns A at cells' corners, and B beside their centres by (2,) px."""
    steps = np.stack(np.meshgrid(*[np.arange(-30, 31)] * 2, indexing="ij"), -1).reshape(-1, 2)
    corners, centres = ((steps + part) @ VECTORS @ np.transpose(gradient) + side / 2 for part in (0, 0.5))
    places = np.concatenate([corners, centres + shift])
    bright = np.repeat([1.0, 0.4], len(steps))
    inside = ((places >= 0) & (places <= side - 1)).all(1)
    table = pd.DataFrame({"y": places[inside, 0], "x": places[inside, 1], "amplitude": bright[inside]})
    table.attrs["pixel_size"] = 0.125
    return table.assign(y_std=0.1, x_std=0.2)


@pytest.mark.parametrize("gradient", [np.eye(2), [[1.03, 0.02], [-0.02, 0.97]]])
@pytest.mark.parametrize("shift", [(1.2, -0.6), (0.0, 0.0)])
def test_displacements_are_those_of_construction_in_a_strained_crystal_with_vacancies(shift, gradient, rng):
    columns = perovskite(shift, gradient)
    columns = columns[rng.random(len(columns)) > 0.05]
    found = displacements.measure(columns)
    assert found[["dy", "dx"]].to_numpy() == pytest.approx(np.broadcast_to(shift, (len(found), 2)), abs=1e-6)
    assert found["dx_angstrom"].to_numpy() == pytest.approx(0.125 * shift[1], abs=1e-6)
    assert len(found) > 100
    back = displacements.measure(columns, 0, 1)
    assert back[["dy", "dx"]].to_numpy() == pytest.approx(-np.broadcast_to(shift, (len(back), 2)), abs=1e-6)


def test_errors_are_what_200_draws_scatter_by(rng):
    columns = perovskite((0.8, 0.3), side=250)
    drawn, sites = [], sublattices.of_columns(columns)
    for _ in range(200):
        noisy = columns.assign(**{axis: columns[axis] + rng.normal(0, columns[f"{axis}_std"]) for axis in "yx"})
        drawn.append(displacements.measure(noisy, sites=sites).sort_values(["y", "x"]))
    for axis, shift in (("dy", 0.8), ("dx", 0.3)):
        pulls = np.concatenate([(one[axis] - shift) / one[f"{axis}_std"] for one in drawn])
        assert pulls.std() == pytest.approx(1, abs=0.1)
        assert abs(pulls.mean()) < 0.1


def test_polarisation_of_barium_titanate_at_500_electrons_is_within_a_picometre(rng):
    """Titanium lies in one column with oxygen, whose centre is what a detector sees."""
    specimen = structures.build("BaTiO3", 40, thickness=40)
    clean = forward.render(specimen, pixel_size=0.12, shape=(260, 260))
    image = rng.poisson(500 * clean.image / clean.image.max()).astype(np.float32)
    found = displacements.measure(detect.detect(replace(clean, image=image)))
    columns = specimen.columns
    titanium, barium = (columns.loc[columns["species"] == name, "y"] for name in ("Ti O", "Ba"))
    truth = (titanium.iloc[0] - barium.iloc[0]) % 4.0365 - 4.0365 / 2
    assert abs(truth) > 0.06
    apart = found[["dy_angstrom", "dx_angstrom"]].to_numpy() - [truth, 0]
    assert len(found) > 25
    assert np.abs(apart.mean(0)).max() < 0.005
    assert np.sqrt(np.mean(apart**2, 0)).max() < 0.01
    told = displacements.polarisation(found, charge=7.0, volume=64.3)
    assert told["py"].mean() == pytest.approx(7 * 1602.18 * truth / 64.3, rel=0.08)
    assert (told["px_std"] > 0).all()


def test_sublattices_that_are_none_have_their_sentence():
    columns = perovskite((0, 0))
    with pytest.raises(ValueError, match="sublattice 2 is none of 0 to 1"):
        displacements.measure(columns, 2, 0)
    with pytest.raises(ValueError, match="no displacement from itself"):
        displacements.measure(columns, 1, 1)


@pytest.mark.parametrize(("material", "species"), [("SrTiO3", {"Sr", "Ti O"}), ("MoS2", {"Mo", "S"})])
def test_sublattices_of_simulated_images_are_found_untold(material, species, rng):
    """Each column's species by where the specimen has it; the brightest sublattice comes first."""
    specimen, pixel_size = structures.build(material, 46, thickness=20), 0.15
    clean = forward.render(specimen, pixel_size=pixel_size, shape=(256, 256))
    image = rng.poisson(100 * clean.image / clean.image.max()).astype(np.float32)
    columns = detect.detect(replace(clean, image=image))
    truth = views.look_at(specimen, pixel_size, (256, 256)).to_pixels(specimen.columns[["y", "x"]].to_numpy(float))
    nearest = cKDTree(truth).query(columns[["y", "x"]])[1]
    kinds = specimen.columns["species"].to_numpy()[nearest]
    sites = sublattices.of_columns(columns)
    names = [pd.Series(kinds[sites.labels == number]).mode()[0] for number in range(len(sites.offsets))]
    assert species <= set(names)
    assert names[0] == max(species, key=lambda name: specimen.columns.query("species == @name")["strength"].median())
    known = sites.labels >= 0
    assert known.mean() > 0.98
    assert np.mean(np.array(names)[sites.labels[known]] == kinds[known]) > 0.99
