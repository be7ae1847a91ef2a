"""A file runs nothing and reads no other file: no pickle in it is loaded, no module that it names imported."""

import pickle
import sys
import zipfile
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import tifffile

from atomwork import micrograph
from tests.fuzz.hierarchies import hyperspy
from tests.fuzz.seeds import SMALL


class Marking:
    """Writes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.write_text, (self.marker, "unpickled")


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


def test_the_pickle_writes_its_mark(marker):
    pickle.loads(pickle.dumps(Marking(marker)))
    assert marker.exists()


def write_objects(path, marker):
    np.save(path, np.array([[Marking(marker), 1], [2, 3]], dtype=object), allow_pickle=True)


def write_pickle(path, marker):
    path.write_bytes(pickle.dumps(Marking(marker)))


def write_archive(path, marker):
    with path.open("wb") as file:
        np.savez(file, image=np.array([[Marking(marker)]], dtype=object), allow_pickle=True)


@pytest.mark.filterwarnings("ignore")  # readers warn on their way down
@pytest.mark.parametrize(("name", "write"), [
    ("objects.npy", write_objects),
    ("pickle.npy", write_pickle),
    ("archive.npy", write_archive),
])  # fmt: skip
def test_a_pickle_is_refused(tmp_path, marker, name, write):
    write(tmp_path / name, marker)
    with pytest.raises(ValueError, match=f"{name} can't be read"):
        micrograph.load(tmp_path / name)
    assert not marker.exists()


@pytest.mark.parametrize("compression", ["jpeg2000", "png", "jpegxl", "lerc"])
def test_a_tif_that_needs_a_decoder_with_holes_is_refused(tmp_path, monkeypatch, compression):
    tifffile.imwrite(tmp_path / "image.tif", SMALL, compression=compression)
    for name in ("jpeg2k_decode", "png_decode", "jpegxl_decode", "lerc_decode"):
        monkeypatch.setattr(imagecodecs, name, lambda *_, **__: pytest.fail("was decoded"))
    with pytest.raises(ValueError, match=rf"image\.tif can't be read .*its pixels are compressed by {compression.upper()},"):
        micrograph.load(tmp_path / "image.tif")


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "packbits", "lzma"])
def test_a_tif_of_usual_compression_is_read(tmp_path, compression):
    tifffile.imwrite(tmp_path / "image.tif", SMALL, compression=compression)
    assert np.array_equal(micrograph.load(tmp_path / "image.tif").image, SMALL)


def test_a_model_beside_the_image_stays_pickled(tmp_path, marker):
    """HyperSpy keeps the functions of a model as pickles, which it loads when the model is restored."""
    dumped = np.void(pickle.dumps(Marking(marker)))
    hyperspy(tmp_path / "model.hspy")
    with h5py.File(tmp_path / "model.hspy", "a") as file:
        component = file.create_group("Analysis/models/fit/components/0")
        file["Analysis/models/fit"].attrs.update({"_signal": "/Experiments/grid", "date": "", "dimension": 2})
        component.attrs.update({"_bs__class_dump": dumped, "_id_name": "Marking", "name": "Marking"})
        component.create_group("_whitelist").attrs["function"] = "fn"
        component.attrs.update({"_bs_function": dumped})
        file["Experiments/grid/metadata"].attrs["_bs_function"] = dumped
        file["Experiments/grid"].create_group("attributes").attrs["_bs_function"] = dumped
    assert np.array_equal(micrograph.load(tmp_path / "model.hspy").image, SMALL)
    assert not marker.exists()


def test_pickled_metadata_of_panta_rhei_stay_pickled(tmp_path, marker):
    write_objects(tmp_path / "metadata.npy", marker)
    np.save(tmp_path / "image.npy", SMALL)
    with zipfile.ZipFile(tmp_path / "image.prz", "w") as archive:
        archive.write(tmp_path / "metadata.npy", "meta_data.npy")
        archive.write(tmp_path / "image.npy", "data.npy")
    assert np.array_equal(micrograph.load(tmp_path / "image.prz").image, SMALL)
    assert not marker.exists()


@pytest.mark.parametrize("at", ["Experiments/grid", "Experiments/grid/metadata/_sig_other"])
def test_a_module_that_a_file_names_is_not_imported(tmp_path, monkeypatch, marker, at):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_of_the_file.py").write_text(f"open({str(marker)!r}, 'w').close()")
    hyperspy(tmp_path / "named.hspy")
    with h5py.File(tmp_path / "named.hspy", "a") as file:
        if at not in file:
            file.copy("Experiments/grid", at)
        file[at].attrs.update({"package": "module_of_the_file", "package_version": "1"})
    with pytest.raises(ValueError, match="module_of_the_file to be imported"):
        micrograph.load(tmp_path / "named.hspy")
    assert not marker.exists()
    assert "module_of_the_file" not in sys.modules


@pytest.mark.parametrize("package", ["", "hyperspy", "exspy", "of_someone_else"])
def test_a_signal_of_an_extension_is_read(tmp_path, package):
    hyperspy(tmp_path / "extended.hspy")
    with h5py.File(tmp_path / "extended.hspy", "a") as file:
        file["Experiments/grid"].attrs.update({"package": package, "package_version": "1"})
    assert np.array_equal(micrograph.load(tmp_path / "extended.hspy").image, SMALL)


def test_metadata_may_speak_of_packages_and_sizes(tmp_path):
    hyperspy(tmp_path / "spoken.hspy")
    with h5py.File(tmp_path / "spoken.hspy", "a") as file:
        file["Experiments/grid/metadata"].attrs.update({"package": "numpy", "size": "large"})
    metadata = micrograph.load(tmp_path / "spoken.hspy").metadata
    assert (metadata["package"], metadata["size"]) == ("numpy", "large")


def link(group, other):
    group["other"] = h5py.ExternalLink(other, "/Experiments/grid")


def virtual(group, other):
    layout = h5py.VirtualLayout(SMALL.shape, "u2")
    layout[:] = h5py.VirtualSource(other, "/Experiments/grid/data", SMALL.shape)
    group.create_virtual_dataset("other", layout)


def external(group, other):
    group.create_dataset("other", (30, 40), "u1", external=[(other, 0, 1200)])


@pytest.mark.parametrize("lead", [link, virtual, external])
def test_a_file_leads_to_no_other(tmp_path, lead):
    hyperspy(tmp_path / "other.hspy")
    hyperspy(tmp_path / "leading.hspy")
    with h5py.File(tmp_path / "leading.hspy", "a") as file:
        lead(file["Experiments/grid/metadata"], str(tmp_path / "other.hspy"))
    with pytest.raises(ValueError, match=r"other lies in another file"):
        micrograph.load(tmp_path / "leading.hspy")


def test_netcdf_is_refused(tmp_path):
    (tmp_path / "a.nc").write_bytes(b"CDF\1" + b"\0" * 100)
    with pytest.raises(ValueError, match="text of the file as code"):
        micrograph.load(tmp_path / "a.nc")
