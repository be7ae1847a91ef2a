"""Weights are found by name and refused when they are not the registered ones."""

import shutil

import pytest
import torch

from atomwork import weights

LARGEST = {"atomid": 8, "atomgan": 16}  # MiB


def test_every_registered_weight_has_its_hash_and_size():
    for name, row in weights.registry().items():
        path = weights.DATA / "weights" / f"{name}.safetensors"
        assert weights.sha256(path) == row["sha256"]
        assert path.stat().st_size == int(row["bytes"]) <= LARGEST[name] * 2**20
        assert (weights.DATA / "results" / f"{name}.json").is_file()


def test_a_changed_weight_is_refused(tmp_path):
    shutil.copytree(weights.DATA / "weights", tmp_path / "weights")
    shutil.copy(weights.DATA / "registry.csv", tmp_path)
    path = tmp_path / "weights" / "atomid.safetensors"
    weights.load("atomid", tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"has SHA-256 .* registered is .* restore"):
        weights.load("atomid", tmp_path)


def test_saving_and_reading_gives_the_same(tmp_path):
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, 2).T}
    weights.save(tmp_path / "own.safetensors", tensors, {"widths": [1, 2]})
    found, settings = weights.load(tmp_path / "own.safetensors")
    assert settings == {"widths": [1, 2]}
    assert all(torch.equal(found[k], tensors[k]) for k in tensors)
    assert [p.name for p in tmp_path.iterdir()] == ["own.safetensors"]


def test_whoever_reads_a_folder_reads_the_weights_in_it(tmp_path):
    weights.save(tmp_path / "mine.safetensors", {"kernel": torch.zeros(3)}, {})
    (tmp_path / "other").touch()
    assert (tmp_path / "mine.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_strangers_are_refused(tmp_path):
    with pytest.raises(KeyError, match="not registered"):
        weights.load("nobody")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        weights.load(tmp_path / "no.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle.safetensors")  # a pickle under a harmless name
    with pytest.raises(ValueError, match="not an atomwork weight"):
        weights.load(tmp_path / "pickle.safetensors")
