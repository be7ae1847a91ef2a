"""``python -m tests.fuzz 2000`` loads the first 2000 damaged files; ``python -m tests.fuzz 500 700`` those numbers."""

import sys
import tempfile
import time
import warnings

from tests.fuzz.mutations import Mutations
from tests.fuzz.runs import Worker


def faults(mutations, numbers, folder):
    """The files that break the law, one line each, as they are found."""
    with Worker(folder, mutations.seeds) as worker:
        for number in numbers:
            seed = mutations[number]
            path = worker.written(seed)
            answer = worker.load(path, seed.frame)
            if fault := answer.fault(path):
                taken = f"{answer.seconds:.1f} s, {answer.grown / 1e6:.0f} MB"
                yield f"{number} ({seed.name}): {fault} ({answer.error}, {answer.message!r}, {taken})"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    numbers, started = range(*map(int, sys.argv[1:])), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = 0
        for line in faults(Mutations(folder), numbers, folder):
            print(line, flush=True)
            found += 1
    print(f"{len(numbers)} files, {found} of them break the law, in {time.perf_counter() - started:.0f} s")
    sys.exit(found > 0)
