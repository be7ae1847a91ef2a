"""What a batch runs over, and which folder each run has."""

import numpy as np
import pytest
import yaml

from atomwork import batch
from atomwork.batch.jobs import jobs

pytestmark = pytest.mark.filterwarnings("ignore")  # papermill and jupyter_client on the way to the kernel


def test_sources_with_one_name_are_refused(tmp_path, notebook):
    with pytest.raises(ValueError, match="share a file name"):
        batch.run(notebook, ["a/one.npy", "b/one.npy"], tmp_path / "out")


def names(found):
    return sorted(job.folder.name for job in found)


def test_folders_patterns_and_tables_are_sources(tmp_path, notebook):
    for pattern in (tmp_path, f"{tmp_path}/*.npy", [tmp_path / "one.npy", f"{tmp_path}/[dt]*.npy"]):
        assert names(jobs(pattern, tmp_path / "out", {})) == ["dark.npy", "one.npy", "two.npy"]
    (tmp_path / "runs.csv").write_text("name,image,factor\nhalf,one.npy,0.5\ndouble,one.npy,2\n")
    found = jobs(tmp_path / "runs.csv", tmp_path / "out", {"seed": 3})
    assert [job.parameters for job in found] == [
        {"seed": 3, "image": str(tmp_path / "one.npy"), "factor": factor} for factor in (0.5, 2)
    ]
    assert names(found) == ["double", "half"]
    (tmp_path / "frames.csv").write_text("image,frame\none.npy,0\none.npy,11\n")
    assert names(jobs(tmp_path / "frames.csv", tmp_path / "out", {})) == ["one.npy.0000", "one.npy.0011"]
    (tmp_path / "runs.yaml").write_text("- {image: one.npy}\n- {image: 'sample:mos2', factor: 3.0}\n")
    assert [job.source for job in jobs(tmp_path / "runs.yaml", tmp_path / "out", {})] == [
        str(tmp_path / "one.npy"),
        "sample:mos2",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"), [("- 1\n", "holds no parameters"), ("a: [", "is no YAML"), ("\x00", "is no YAML")]
)
def test_tables_that_are_none_have_their_sentence(tmp_path, content, sentence):
    (tmp_path / "runs.yaml").write_text(content)
    with pytest.raises(ValueError, match=sentence):
        jobs(tmp_path / "runs.yaml", tmp_path / "out", {})


def test_frames_of_a_stack_are_sources(tmp_path):
    movie = tmp_path / "movie [1].npy"  # brackets of its own
    np.save(movie, np.arange(12.0 * 16).reshape(12, 4, 4))
    for asked, frames in {"[:]": range(12), "[3:9:2]": (3, 5, 7), "[-2:]": (10, 11), "[0:99]": range(12)}.items():
        found = jobs(f"{movie}{asked}", tmp_path / "out", {})
        assert [job.parameters["image"] for job in found] == [f"{movie}[{k}]" for k in frames]
        assert names(found) == [f"movie_1_.npy.{k:04}" for k in frames]
    [one] = jobs(f"{movie}[5]", tmp_path / "out", {})
    assert one.folder == tmp_path / "out"
    assert one.parameters == {"image": f"{movie}[5]"}
    (tmp_path / "runs.csv").write_text("image\nmovie [1].npy[4]\n")
    assert jobs(tmp_path / "runs.csv", tmp_path / "out", {})[0].parameters["image"] == f"{movie}[4]"
    for asked in ("[12:]", "[::0]", "[5:3]"):
        with pytest.raises(ValueError, match=r"is none of the 12 frames of .*; give .*\[:\] for all"):
            jobs(f"{movie}{asked}", tmp_path / "out", {})
    np.save(tmp_path / "flat.npy", np.eye(4))
    with pytest.raises(ValueError, match="not a stack"):
        jobs(f"{tmp_path}/flat.npy[:]", tmp_path / "out", {})


def test_nothing_that_matches_has_its_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no image"):
        jobs(tmp_path / "empty", tmp_path / "out", {})
    with pytest.raises(ValueError, match="matches no file"):
        jobs(f"{tmp_path}/*.dm9", tmp_path / "out", {})


@pytest.mark.parametrize("name", ["..", ".", "../../etc", "a b ö.npy", "x/../../y.npy"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "runs.yaml").write_text(yaml.safe_dump([{"name": name, "image": "one.npy"}, {"image": "two.npy"}]))
    for job in jobs(tmp_path / "runs.yaml", tmp_path / "out", {}):
        assert job.folder.resolve().parent == (tmp_path / "out").resolve()
