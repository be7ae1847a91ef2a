"""Files through `micrograph.load` in a process that may hang, crash or run out of memory."""

import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.worker import MEMORY

SECONDS = 10.0
PROGRAM = "from tests.fuzz import worker; worker.serve()"


@dataclass(frozen=True)
class Answer:
    """What became of one file: the type and the message of the error, "hangs", "crashes" or "unsound", or None and "".

    ``seconds`` it took, by ``grown`` bytes the process had grown at the most.
    """

    error: str | None
    message: str
    seconds: float = 0.0
    grown: int = 0

    def fault(self, path):
        """In what it breaks the law that a file loads or gives its one sentence, or ""."""
        if self.seconds > SECONDS or self.grown > MEMORY or "MemoryError" in self.message:
            return "takes too much"
        if self.error is None:
            return ""
        if self.error not in ("ValueError", "FileNotFoundError"):
            return self.error
        if "\n" in self.message or not self.message.isprintable() or len(self.message) > 500:
            return "more than a sentence"
        if path.name not in self.message or str(path.parent) in self.message:
            return "names no file, or where it lies"
        return "" if re.fullmatch(r".*\w.*; \w.*\.", self.message) and " ();" not in self.message else "no reason or remedy"


class Worker:
    """A process that loads files, begun again after each death.

    Parameters
    ----------
    folder : where the files are written
    sound : Seeds that it loads first, so that every reader is imported before memory is limited
    program : what it runs
    """

    def __init__(self, folder, sound=(), program=PROGRAM):
        self.folder, self.sound, self.program, self.process = Path(folder), sound, program, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        for seed in self.sound:
            answer = self.load(self.written(seed, "sound"), seed.frame, limited=False, seconds=60)
            assert answer.error is None, f"{seed.name} isn't sound: {answer}"

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.said.close()
        self.process = None

    def written(self, seed, name="image"):
        path = self.folder / f"{name}{seed.ending}"
        path.write_bytes(seed.content)
        return path

    def load(self, path, frame=None, limited=True, seconds=SECONDS):
        """The `Answer` about the file of that path."""
        if self.process is None:
            self.start()
        self.process.stdin.write(json.dumps([str(path), frame, limited]) + "\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            answered = selector.select(seconds)
        line = self.process.stdout.readline() if answered else ""
        if line:
            return Answer(**json.loads(line))
        if answered:
            self.said.seek(0)
            told = Answer("crashes", f"exit status {self.process.wait()}: {self.said.read()[-1000:]}")
        else:
            told = Answer("hangs", "", seconds)
        self.stop()
        return told
