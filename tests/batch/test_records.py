"""When a run counts as complete."""

import numpy as np
import pytest

from atomwork.batch import records
from atomwork.batch.stages import Detection, Notebook

pytestmark = pytest.mark.filterwarnings("ignore")  # papermill and jupyter_client on the way to the kernel


@pytest.mark.parametrize("left", ["", "{", "[]", '{"fingerprint": 1}', None])
def test_a_record_that_is_not_whole_counts_as_none(tmp_path, left):
    records.write(tmp_path, {"fingerprint": "abc", "summary": {"mean": 1.0}})
    assert records.read(tmp_path, "abc")["summary"] == {"mean": 1.0}
    assert records.read(tmp_path, "other") is None
    records.forget(tmp_path)
    if left is not None:
        (tmp_path / records.RECORD).write_text(left)
    assert records.read(tmp_path, "abc") is None


def test_a_record_whose_files_are_gone_or_empty_counts_as_none(tmp_path):
    """As a power cut leaves them; what somebody added to one since is theirs to keep."""
    (tmp_path / f".{records.RECORD}.partial").write_text("{")  # of a run that was killed before
    (tmp_path / "columns.csv").write_text("y,x\n")
    (tmp_path / "strain.zspy").mkdir()
    records.write(tmp_path, {"fingerprint": "abc"})
    assert records.read(tmp_path, "abc")["files"] == ["columns.csv", "strain.zspy"]
    (tmp_path / "columns.csv").write_text("y,x\n1,2\n")
    (tmp_path / "notes.txt").write_text("")
    assert records.read(tmp_path, "abc")
    (tmp_path / "columns.csv").write_text("")
    assert records.read(tmp_path, "abc") is None
    (tmp_path / "columns.csv").unlink()
    assert records.read(tmp_path, "abc") is None


def test_a_stack_is_hashed_once_however_many_frames_ask(tmp_path, monkeypatch):
    read, hashing = [], records.weights.sha256
    monkeypatch.setattr(records.weights, "sha256", lambda path: read.append(path) or hashing(path))
    stack = str(tmp_path / "movie.npy")
    for size in (3, 4):
        np.save(stack, np.zeros((size, 2, 2)))
        assert len({records.fingerprint("abc", {"image": stack, "frame": k}) for k in range(3)}) == 3
    assert read == [stack, stack]
    assert len({records.fingerprint("abc", {"image": f"{stack}[{k}]"}) for k in range(3)}) == 3
    assert read == [stack, stack]


def test_whatever_a_result_follows_from_changes_its_fingerprint(tmp_path, notebook, monkeypatch):
    image = str(tmp_path / "one.npy")

    def fingerprint(stage=None, **parameters):
        identity = records.identity(stage or Notebook(str(notebook)))
        return records.fingerprint(identity, {"image": image, **parameters})

    every = [fingerprint(), fingerprint(factor=2), fingerprint(Detection())]
    np.save(image, np.full((4, 4), 9.0))
    every += [fingerprint()]
    monkeypatch.setattr(records.weights, "registry", lambda: {"atomid": {"sha256": "new"}})
    every += [fingerprint(), fingerprint(Detection())]
    notebook.write_text(notebook.read_text() + " ")
    every += [fingerprint()]
    assert len(set(every)) == len(every)
    assert fingerprint() == every[-1]
