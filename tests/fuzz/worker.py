"""Loads one file after another and says what became of it: ``python -m tests.fuzz.worker``."""

import faulthandler
import json
import os
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from atomwork import micrograph

MEMORY = 2 * 2**30  # bytes above what the process holds once every reader is imported


def status(key):
    """Memory of this process [bytes]: VmData, of its own; VmRSS, resident, of which VmHWM is the largest so far."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{key}:")]
    return 1024 * int(line.split()[1])


def loaded(path, frame):
    """What `micrograph.load` made of a file."""
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    before, started = status("VmRSS"), time.perf_counter()
    told = {"error": None, "message": ""}
    try:
        found = micrograph.load(path, frame=frame)
        if found.image.ndim != 2 or found.image.dtype != np.float32 or not np.isfinite(found.image).all():
            told = {"error": "unsound", "message": f"{found.image.dtype} of shape {found.image.shape}"}
        elif found.pixel_size is not None and not 0 < found.pixel_size < np.inf:
            told = {"error": "unsound", "message": f"pixel_size={found.pixel_size}"}
    except BaseException as error:  # a reader of files may end the process or be interrupted, which is an answer like others
        told = {"error": type(error).__name__, "message": str(error)}
    return told | {"seconds": time.perf_counter() - started, "grown": status("VmHWM") - before}


def serve():
    """Answer every line of standard input, [path, frame, whether memory is limited from now on] as JSON, by a line."""
    faulthandler.enable()
    warnings.simplefilter("default")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a reader prints, be it in C, is no answer
    for line in sys.stdin:
        path, frame, limited = json.loads(line)
        if limited and resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_DATA, (status("VmData") + MEMORY,) * 2)
        print(json.dumps(loaded(path, frame)), file=answers, flush=True)


if __name__ == "__main__":
    serve()
