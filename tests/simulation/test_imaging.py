"""abTEM's images of specimens against plain abTEM, closed forms and outside facts."""

import abtem
import numpy as np
import pytest

from atomwork.columns import fit
from atomwork.simulation import forward, imaging, multislice, point_defects, potential, scattering, structures
from atomwork.simulation.optics import Lens
from atomwork.simulation.views import View

QUIET = {"diagnostics.progress_bar": False, "fftw.planning_effort": "FFTW_ESTIMATE"}


def plain_hrtem(atoms, shape, lens):
    """What a user of abTEM would write."""
    with abtem.config.set(QUIET):
        potential = abtem.Potential(atoms, gpts=shape[::-1], slice_thickness=1.0)
        ctf = abtem.CTF(**multislice.aberrations(lens), focal_spread=np.sqrt(2) * lens.focal_spread)
        return abtem.PlaneWave(energy=lens.energy).multislice(potential).apply_ctf(ctf).intensity().compute().array.T


@pytest.fixture(scope="module")
def sheet():
    return structures.build("MoS2", (38, 37))


def grid(specimen, sampling):
    cell = specimen.unit.cell.lengths()[1::-1]
    repeats = np.rint(np.array(specimen.size) / cell).astype(int)
    return tuple(np.ceil(cell / sampling).astype(int) * repeats)


def test_a_sheet_with_vacancies_is_what_plain_abtem_makes_of_it(sheet, rng):
    specimen = point_defects.introduce(sheet, {"V_S": 3, "V_Mo": 1, "W_Mo": 1}, rng=rng)
    ours = imaging.hrtem(specimen).image
    plain = plain_hrtem(specimen.atoms, grid(specimen, 0.1), imaging.OBJECTIVE)
    expected = imaging.resample(plain, specimen.size, 0.1)
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.9999
    assert np.abs(ours / expected - 1).max() < 0.01


@pytest.mark.parametrize("defocus", [-300.0, 500.0])
def test_far_out_of_focus_a_defect_is_seen_as_far_as_plain_abtem_sees_it(defocus):
    specimen = structures.build("MoS2", (60, 60))
    gone = np.argmin(np.hypot(*(specimen.atoms.positions[:, :2] - 30).T))
    specimen = specimen.with_atoms(specimen.atoms[np.arange(len(specimen.atoms)) != gone])
    lens = Lens(energy=300e3, semiangle_cutoff=25.0, defocus=defocus, focal_spread=30.0)
    shape = grid(specimen, 0.15)
    ours = imaging.hrtem(specimen, lens=lens, sampling=0.15, pixel_size=0.15).image
    expected = imaging.resample(multislice.objective_image(specimen.atoms, shape, lens), specimen.size, 0.15)
    assert np.abs(ours - expected).max() < 0.02 * expected.std()


def test_merging_empty_slices_changes_nothing(monkeypatch):
    specimen = structures.build("MoS2", (10, 10), layers=2)
    shape = (100, 100)
    merged = multislice.objective_image(specimen.atoms, shape, imaging.OBJECTIVE)
    assert len(potential.slices(specimen.atoms)) < specimen.atoms.cell[2, 2] / 2
    assert sum(potential.slices(specimen.atoms)) == pytest.approx(specimen.atoms.cell[2, 2])
    monkeypatch.setattr(potential, "slices", lambda atoms: 1.0)
    assert merged == pytest.approx(multislice.objective_image(specimen.atoms, shape, imaging.OBJECTIVE), abs=1e-4)


def test_a_turned_view_shows_the_same_image(sheet):
    view = View(0.2, (60, 60), (17.0, 21.0), 25.0)
    seen = imaging.hrtem(sheet, **vars(view)).image
    image = imaging.hrtem(sheet, pixel_size=0.1).image
    places = np.stack(np.meshgrid(range(60), range(60), indexing="ij"), -1).reshape(-1, 2)
    nearest = np.rint(view.to_places(places) / 0.1).astype(int)
    inside = ((nearest >= 0) & (nearest < image.shape)).all(1)
    assert inside.mean() > 0.9
    assert np.corrcoef(seen.reshape(-1)[inside], image[tuple(nearest[inside].T)])[0, 1] > 0.99


def test_contrast_vanishes_where_the_formula_puts_the_zeros():
    """The diffractogram of one light atom at the origin is real and changes its sign with sin χ."""
    atoms = structures.build("graphene", (1, 1)).atoms[:1]
    atoms.set_cell([80, 80, 4])
    atoms.positions[:] = 0, 0, 2
    lens = Lens(energy=300e3, semiangle_cutoff=15.0, defocus=600.0, Cs=2e6)
    image = multislice.objective_image(atoms, (400, 400), lens)
    spectrum = np.fft.rfft2(image).real[0]
    frequency = np.arange(len(spectrum)) / 80
    inner = (frequency > 0.1) & (frequency < 0.95 * lens.cutoff)
    changes = np.flatnonzero(np.diff(np.sign(spectrum[inner])))
    zeros = lens.zeros(20)
    zeros = zeros[(zeros > 0.1) & (zeros < 0.95 * lens.cutoff)]
    assert len(zeros) >= 4
    # the sign changes somewhere between two frequencies, and the atom is not quite a weak object
    assert frequency[inner][changes] + 0.5 / 80 == pytest.approx(zeros, abs=1 / 80)


def test_frozen_phonons_are_drawn_from_the_seed():
    specimen = structures.build("graphene", (8, 8))
    first, again, other = (imaging.hrtem(specimen, phonons=2, seed=seed).image for seed in (1, 1, 2))
    still = imaging.hrtem(specimen).image
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-5)
    assert first.std() < still.std()  # motion lowers the contrast


@pytest.fixture(scope="module")
def small_scan():
    specimen = structures.build("graphene", (12, 12))
    shape = (24, 24)
    lens = Lens(energy=80e3, semiangle_cutoff=25.0)
    return specimen, shape, (0, 9, 0, 5), lens


def test_prism_agrees_with_multislice(small_scan):
    specimen, shape, window, lens = small_scan
    images = [multislice.scan(specimen.atoms, shape, window, lens, 40.0, 100.0, method) for method in multislice.METHODS]
    assert images[0].shape == (9, 5)
    assert images[1] == pytest.approx(images[0], rel=0.02)


def test_the_window_of_a_scan_is_a_part_of_the_whole(small_scan):
    specimen, shape, window, lens = small_scan
    part = multislice.scan(specimen.atoms, shape, (3, 6, 1, 4), lens, 40.0, 100.0, "multislice")
    more = multislice.scan(specimen.atoms, shape, window, lens, 40.0, 100.0, "multislice")
    assert part == pytest.approx(more[3:6, 1:4], rel=1e-4)


@pytest.mark.parametrize(("material", "inner", "outer"), [("MoS2", 70.0, 200.0), ("Si", 50.0, 100.0), ("WSe2", 40.0, 120.0)])
def test_a_finer_grid_changes_no_scan(monkeypatch, material, inner, outer):
    """At 1.02 times the outer angle, sheets of MoS2 came out 12 % too dark at 70–200 mrad."""
    specimen = structures.build(material, 9.0, thickness=6.0)
    settings = ((40, 36), (0, 1, 0, 12), imaging.PROBE, inner, outer, "multislice")
    first = multislice.scan(specimen.atoms, *settings)
    monkeypatch.setattr(multislice, "TWICE", 2.0)
    assert multislice.scan(specimen.atoms, *settings).max() == pytest.approx(first.max(), rel=0.04)


def test_a_large_scan_by_blocks_is_the_scan_of_the_whole():
    specimen, shape, window = structures.build("Si", 24.0, thickness=6.0), (96, 96), (0, 40, 4, 7)
    boxes = []

    def annular(atoms, shape, window):
        boxes.append(atoms.cell.lengths()[:2].max())
        return multislice.scan(atoms, shape, window, imaging.PROBE, 30.0, 80.0, "multislice")

    parts = multislice.scan_by_blocks(specimen.atoms, shape, window, 5.0, annular)
    assert len(boxes) > 1
    assert max(boxes) < 20
    expected = annular(specimen.atoms, shape, window)
    assert parts == pytest.approx(expected, rel=0.03, abs=0.01 * float(expected.max()))


def test_atoms_beyond_the_sides_come_in_from_the_other_side():
    specimen = structures.build("graphene", (12, 12))
    size = np.array([6.0, 5.0])
    part = multislice.cut_out(specimen.atoms, np.array([-2.0, 9.0]), size)
    assert (part.positions[:, 1::-1] < size).all()
    inside = (((specimen.atoms.positions[:, 1::-1] - (-2, 9)) % specimen.size) < size).all(1)
    assert len(part) == inside.sum() > 5


def test_the_linear_model_is_a_dark_field_image(small_scan):
    """A perfect sheet of graphene: abTEM's share of the beam against cross sections times the probe, absolutely."""
    specimen, _, _, lens = small_scan
    angles = {"inner": 70.0, "outer": 160.0}
    scanned = imaging.stem(specimen, lens=lens, pixel_size=0.2, **angles).image
    sections = scattering.cross_sections(["C"], lens=lens, **angles)
    linear = forward.render(specimen, lens=lens, pixel_size=0.2, strength=sections).image
    assert np.corrcoef(scanned.ravel(), linear.ravel())[0, 1] > 0.98
    assert linear.mean() == pytest.approx(scanned.mean(), rel=0.05)


def test_a_detector_that_is_no_ring_is_refused(sheet):
    with pytest.raises(ValueError, match=r"inner=90 mrad must be below outer=60 mrad"):
        imaging.haadf(sheet, inner=90, outer=60)
    with pytest.raises(ValueError, match=r"method='fast' one of"):
        imaging.haadf(sheet, method="fast")
    with pytest.raises(ValueError, match=r"focal_spread=30.0 Å is not computed in scans"):
        imaging.haadf(sheet, lens=imaging.OBJECTIVE)


@pytest.mark.parametrize("count", [16, 17])
def test_band_limited_signals_are_interpolated_exactly(count, rng):
    waves = np.arange(1, (count - 1) // 2 + 1)
    weight, phase = rng.normal(size=(2, len(waves)))

    def signal(x):
        return 1 + (weight * np.cos(2 * np.pi * waves * np.asarray(x)[:, None] / count + phase)).sum(1)

    places = np.concatenate([rng.uniform(0, count, 30), np.arange(4)])
    assert imaging.interpolation(count, places) @ signal(np.arange(count)) == pytest.approx(signal(places), abs=1e-4)


def test_polar_displacement_of_barium_titanate_shows_in_the_image():
    specimen = structures.build("BaTiO3 [100]", (30, 30), thickness=40.0)
    image = 1000 * forward.render(specimen, pixel_size=0.1, source_size=0.2).image
    columns = specimen.columns[["y", "x"]].to_numpy() / 0.1
    kind = specimen.columns["species"].to_numpy()
    inner = ((columns > 15) & (columns < np.array(image.shape) - 16)).all(1) & (kind != "O")
    found = fit.refine(image / image.max() * 1e4, columns[inner])[["y", "x"]].to_numpy() * 0.1
    barium, titanium = found[kind[inner] == "Ba"], found[kind[inner] == "Ti O"]
    polar = np.array(specimen.unit.cell.lengths()[1::-1])
    away = titanium[:, None] - barium
    middle = away / polar - np.floor(away / polar)  # of the cell of four Ba around a Ti, in cells
    shift = (middle - 0.5).mean((0, 1)) * polar
    truth = specimen.columns[kind == "Ti O"][["y", "x"]].iloc[0] - specimen.columns[kind == "Ba"][["y", "x"]].iloc[0]
    expected = (truth.to_numpy() / polar % 1 - 0.5) * polar
    assert np.abs(expected).max() > 0.05  # Å
    assert shift == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("shape", [(15, 20), (16, 21)])
def test_blurring_doubles_the_grid_and_damps_every_wave_as_a_gaussian_does(shape):
    size, width = (3.0, 4.0), 0.2

    def wave(counts, damped):
        y, x = (np.arange(n) * length / n for n, length in zip(counts, size, strict=True))
        return 1 + damped * np.cos(2 * np.pi * (2 * y[:, None] / size[0] - 3 * x / size[1]) + 0.4)

    damping = np.exp(-2 * (np.pi * width) ** 2 * ((2 / size[0]) ** 2 + (3 / size[1]) ** 2))
    doubled = imaging.blurred(wave(shape, 1.0), size, width)
    assert doubled == pytest.approx(wave([2 * n for n in shape], damping), abs=1e-12)
