"""How long each step of a detection takes, beside other detectors on the same image."""

from functools import partial
from time import perf_counter

import pandas as pd
import torch

from atomwork.analysis import comparison, confidence, detect
from atomwork.columns import fit

BATCH = 16  # images that a GPU is given at once


def steps(image, *, model="atomid", repeats=5):
    """Milliseconds of every step of `detect.detect` and of every rival with its own parameters.

    Parameters
    ----------
    image : (H, W) float array [arb.]
    model : see `weights.load`
    repeats : int, of which the fastest counts

    Returns
    -------
    DataFrame : step, device, ms
    """
    seen = confidence.confidence_map(image, model=model)
    places = detect.columns(image, seen, refine=False)
    known = {"position_std": detect.POSITION_STD * seen.spacing, "spacing": seen.spacing}
    ours = {
        "network": partial(confidence.confidence_map, image, model=model),
        "read-out: NMS": partial(detect.columns, image, seen, refine=False),
        **{f"read-out: {name}": partial(way, seen.confidence) for name, way in comparison.READOUTS.items()},
        "fit": partial(fit.refine, image, places[["y", "x"]].to_numpy(), **known),
        f"{comparison.OURS}, all of it": partial(detect.detect, image, model=model),
    }
    tasks = ours | {name: partial(rival, image) for name, rival in comparison.RIVALS.items()}
    device = f"{torch.get_num_threads()} CPU threads"
    rows = [{"step": name, "device": device, "ms": 1e3 * fastest(task, repeats)} for name, task in tasks.items()]
    return pd.DataFrame(rows + (on_gpu(image, model, repeats) if torch.cuda.is_available() else []))


def fastest(task, repeats):
    """The shortest time of several runs after one that warms up [s]."""
    task()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        task()
        times.append(perf_counter() - start)
    return min(times)


@torch.inference_mode()
def on_gpu(image, model, repeats):
    """Rows of `steps` for the network alone on a GPU, whole images one by one and in batches, per image."""
    net = confidence.networks(model)[0].to("cuda")
    one = confidence.padded(confidence.normalised(image), net.stride).cuda()

    def run(batch):
        net(batch)
        torch.cuda.synchronize()

    with torch.autocast("cuda", torch.bfloat16):
        times = {count: fastest(partial(run, one.expand(count, -1, -1, -1).contiguous()), repeats) for count in (1, BATCH)}
    net.to("cpu")
    name = torch.cuda.get_device_name()
    return [{"step": f"network, {k} at once, each", "device": name, "ms": 1e3 * time / k} for k, time in times.items()]
