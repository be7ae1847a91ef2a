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
