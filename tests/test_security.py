"""Nothing that is read runs: no pickles, no YAML objects, no code in parameters, names or file names."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from atomwork import batch, train, weights
from atomwork.models import training

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("atomwork/**/*.py"))
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
UNSAFE = {"eval", "exec", "system", "popen", "read_pickle", "to_pickle", "unsafe_load", "full_load", "load_all", "__import__"}
PICKLES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}


def code_of(path):
    """The syntax tree of a Python file or of a notebook's cells."""
    if path.suffix == ".py":
        return ast.parse(path.read_text(encoding="utf-8"))
    cells = nbformat.read(path, as_version=4).cells
    return ast.parse("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def offences(tree):
    """What in a syntax tree could run what it reads: yields words."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            yield from PICKLES.intersection(name.split(".")[0] for name in names)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            owner = getattr(getattr(node.func, "value", None), "id", "")
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            trusted = name != "eval" or isinstance(node.func, ast.Name)  # model.eval() is torch's
            if name in UNSAFE and trusted:
                yield name
            if (owner, name) == ("torch", "load") and given.get("weights_only") is not True:
                yield "torch.load"
            if (owner, name) == ("yaml", "load"):
                yield "yaml.load"
            if given.get("allow_pickle") or given.get("shell"):
                yield "allow_pickle or shell"


@pytest.mark.parametrize("path", SOURCES + NOTEBOOKS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_code_runs_what_it_reads(path):
    assert not list(offences(code_of(path)))


SUCH = """import pickle
from joblib import load
torch.load('a')
torch.load('a', weights_only=False)
yaml.load(text)
yaml.unsafe_load(text)
np.load('a', allow_pickle=True)
subprocess.run('a', shell=True)
eval('1')
os.system('a')"""


@pytest.mark.parametrize("code", SUCH.splitlines())
def test_such_code_would_be_seen(code):
    assert list(offences(ast.parse(code)))


class Bomb:
    """Whoever unpickles it writes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_a_bomb_goes_off_where_pickles_are_trusted(tmp_path):
    torch.save({"state_dict": Bomb(tmp_path / "marker")}, tmp_path / "last.ckpt")
    torch.load(tmp_path / "last.ckpt", weights_only=False)
    assert (tmp_path / "marker").exists()


def test_malicious_files_are_refused_and_nothing_of_them_runs(tmp_path):
    marker = tmp_path / "marker"
    torch.save({"hyper_parameters": {"max_steps": Bomb(marker)}}, tmp_path / "last.ckpt")
    torch.save({"state_dict": Bomb(marker)}, tmp_path / "evil.safetensors")
    np.save(tmp_path / "evil.npy", np.array([Bomb(marker)], object), allow_pickle=True)
    (tmp_path / "evil.yaml").write_text(
        f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{marker}]]"
    )
    with pytest.raises(ValueError, match=r"is no checkpoint of a training here \(UnpicklingError\); give"):
        training.check_resumable(tmp_path / "last.ckpt", 10)
    with pytest.raises(ValueError, match="is not an atomwork weight file"):
        weights.load(str(tmp_path / "evil.safetensors"))
    with pytest.raises(ValueError, match=r"evil\.yaml is no YAML"):
        batch.detect(tmp_path / "evil.yaml", tmp_path / "out")
    table = batch.detect(tmp_path / "evil.npy", tmp_path / "out", progress=False)
    assert "evil.npy can't be read" in table["error"][0]
    with pytest.raises(SystemExit, match="is no checkpoint"):
        train.main(["detector", "--out-dir", str(tmp_path)])
    assert not marker.exists()


QUOTES = ["it's", 'a "quote"', "'''", '"""', "back\\slash", "ends in \\", "\\'", '\\"', "\\N{BULLET}", "\\x41"]
LINES = [
    "new\nline",
    "return\rtab\t",
    "\n1/0\n",
    "'''\n1/0\n'''",
    '"""\n1/0\n"""',
    "ö – 原子 𝛼 \u2028",
    "\0",
    "",
    "plain",
    "{{x}}",
]
CODE = [
    "`touch x`",
    "$(touch x)",
    "{1/0}",
    "f'{1/0}'",
    "%s %d",
    "#",
    "; 1/0 #",
    "'; 1/0; '",
    '"; 1/0; "',
    "# %%",
    "<script>",
]
TEXTS = QUOTES + LINES + CODE


@pytest.mark.filterwarnings("ignore")
def test_parameters_reach_a_notebook_as_they_are(tmp_path):
    """As strings, in lists, and as keys and values of dicts; none of them is run."""
    parameters = nbformat.v4.new_code_cell(
        "text = ''\ntexts = []\nnamed = {}\nout_dir = '.'", metadata={"tags": ["parameters"]}
    )
    body = nbformat.v4.new_code_cell(
        "import json\nfrom pathlib import Path\nPath(out_dir).mkdir(parents=True, exist_ok=True)\n"
        "(Path(out_dir) / 'seen.json').write_text(json.dumps([text, texts, named]))"
    )
    content = nbformat.v4.new_notebook(cells=[parameters, body])
    content.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(content, tmp_path / "seen.ipynb")
    given = {"text": "'\n\"\\{1/0}`", "texts": TEXTS, "named": {text: text for text in TEXTS}}
    out = tmp_path / "a folder, ö'\"{x}"
    table = batch.run(tmp_path / "seen.ipynb", None, out, parameters=given, progress=False)
    assert table["ok"].all(), table["error"][0]
    assert json.loads((out / "seen.json").read_text()) == list(given.values())


NAMES = ["a b.npy", "ö原.npy", "it's \"$(touch x)`.npy", "<img src=x onerror=alert(1)>.npy", "-p.npy", "a[1].npy", "..npy"]


def test_files_of_any_name_are_read_and_shown(tmp_path):
    (tmp_path / "in here").mkdir()
    axis = np.arange(64) % 9 - 4.5
    for name in NAMES:
        np.save(tmp_path / name, np.exp(-np.add.outer(axis**2, axis**2) / 8))
    sources = [f"{tmp_path}/in here/../{name}" for name in NAMES]
    command = [sys.executable, "-W", "ignore", "-m", "atomwork.batch", "detect", *sources, "--out-dir", tmp_path / "out"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("<img loading") == page.count("<img") == len(NAMES)
    assert len(list((tmp_path / "out").glob("*/columns.csv"))) == len(NAMES)
    assert not (tmp_path / "x").exists()
