"""The panel: from a key on a slider to the new overlay on the page, in a real Chromium against Voilà."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright
from skimage.feature import blob_log

from atomwork.simulation import forward, structures
from tests.benchmarks.speed import fastest
from tests.browser.conftest import CHROMIUM, PICTURE, TOKEN, Panel, open_voila, server
from tests.ports import free_port

SEED = 91_700
# columns, with side [px], pixel [Å] and so few e⁻ in the brightest pixel that columns come and go with the sliders
FRAMES = {"2 thousand": (1024, 0.0907, 0.5), "20 thousand": (2048, 0.1436, 2.0)}
SLIDERS = {  # number on the page and keys, each of which leads where the slider has not been
    "Filter Lower Bound": (0, ["ArrowRight"] * 24),
    "Filter Window Size": (1, ["PageUp"] * 16),
}
TIMED = f"""async ([slider, keys]) => {{
  const handle = document.querySelectorAll(".noUi-handle")[slider];
  const rest = (ms) => new Promise((go) => setTimeout(go, ms));
  const times = [];
  handle.focus();
  for (const key of keys) {{
    const before = {PICTURE}, start = performance.now();
    handle.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
    while ({PICTURE} === before && performance.now() < start + 3000) await rest(1);
    const shown = performance.now() - start;
    if (shown > 3000) continue; // no column came or went
    let fitted = shown, last = {PICTURE};
    while (performance.now() < start + fitted + 1500) {{
      await rest(5);
      if ({PICTURE} !== last) [fitted, last] = [performance.now() - start, {PICTURE}];
    }}
    times.push([shown, fitted]);
  }}
  return times;
}}"""


def frame(side, pixel_size, peak):
    """A low-dose MoS2 monolayer (side, side)."""
    specimen = structures.build("MoS2", side * pixel_size + 10)
    clean = forward.render(specimen, pixel_size=pixel_size, shape=(side, side)).image
    return np.random.default_rng(SEED).poisson(peak * clean / clean.max()).astype(np.float32)


def slider_to_overlay():
    """Median time that a move of a slider takes to show, as a person sees it, beside LoG of the same frame by itself."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        images = Path(scratch) / "images"
        images.mkdir()
        for name, numbers in FRAMES.items():
            np.save(images / f"{name}.npy", frame(*numbers))
        port = free_port()
        command = ["atomwork.app", str(images), "--results", scratch, "--port", str(port), "--token", TOKEN, "--no-browser"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with server(command, Path(scratch), port) as address:
            for name in FRAMES:
                rows += timed(Panel(browser, open_voila(address)), f"{name}.npy", np.load(images / f"{name}.npy"))
        browser.close()
    return "Slider to overlay in Chromium, two cores", pd.DataFrame(rows)


def timed(panel, name, image):
    """A row for every slider."""
    choice = panel.page.locator(".widget-dropdown select")
    index = next(
        k for k, label in enumerate(choice.locator("option").all_inner_texts()) if name[:6] in label.replace("\xa0", " ")
    )
    before = panel.settled()
    choice.select_option(index=index)
    panel.changed(before)
    panel.settled()
    unit = image / image.max()
    alone = fastest(lambda: blob_log(unit, min_sigma=2, max_sigma=6, threshold=0.1), rounds=1).item()
    rows = []
    for slider, (which, keys) in SLIDERS.items():
        shown, fitted = np.array(panel.page.evaluate(TIMED, [which, keys])).T
        numbers = {"median [ms]": np.median(shown), "90 % [ms]": np.quantile(shown, 0.9), "moves": len(shown)}
        numbers |= {"to the fit [ms]": np.median(fitted), "LoG alone over median": 1e3 * alone / np.median(shown)}
        rows.append({"columns": panel.counted(), "side [px]": len(image), "slider": slider, **numbers})
    panel.page.close()
    return rows
