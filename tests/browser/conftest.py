"""A real Chromium, and real servers of JupyterLab and Voilà, for tests that look at pages."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright
from scipy.spatial import cKDTree

from atomwork import micrograph
from atomwork.app import NOTEBOOK
from atomwork.widgets import TuningPanel
from tests.ports import free_port

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TOKEN = "a-token-for-tests"
SIZE = {"width": 1280, "height": 800}
SLOW = 60_000  # ms, for a kernel that imports everything beside another test
QUIET_LAB = (
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


@pytest.fixture(scope="package")
def chromium():
    assert CHROMIUM, "no Chromium; make test installs it by the system's packages"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def server(command, folder, port):
    """A server that answers, ended with all its kernels."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    with open(folder / "server.log", "w") as log:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log, cwd=folder, env=environment)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=5).close()
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None, (folder / "server.log").read_text()
                time.sleep(0.25)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="package")
def images(tmp_path_factory):
    """A folder of a user's images, one of them a link to elsewhere."""
    folder = tmp_path_factory.mktemp("images")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.png"
    elsewhere.write_bytes(b"secret")
    (folder / "link.png").symlink_to(elsewhere)
    return folder


@pytest.fixture(scope="package")
def voila(tmp_path_factory, images):
    folder, port = tmp_path_factory.mktemp("voila"), free_port()
    command = ["atomwork.app", str(images), "--results", str(folder / "results"), "--port", str(port), "--token", TOKEN]
    with server([*command, "--no-browser"], folder, port) as address:
        yield address


@pytest.fixture(scope="package")
def lab(tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("lab"), free_port()
    (folder / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, folder / "notebooks")
    command = ["jupyterlab", "notebooks", "--no-browser", "--allow-root", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    with server([*command, *QUIET_LAB], folder, port) as address:
        yield address


class Panel:
    """The panel on a page, and what went wrong there."""

    def __init__(self, browser, open_panel, name="page"):
        self.name = name
        self.page = browser.new_page(viewport=SIZE, accept_downloads=True)
        self.page.set_default_timeout(SLOW)
        self.wrong = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        open_panel(self.page)
        self.page.wait_for_selector(".noUi-handle")
        self.page.wait_for_function(f"() => {PICTURE} !== 0", polling=100)

    def picture(self):
        """A number that changes with any pixel of the figure."""
        return self.page.evaluate(f"() => {PICTURE}")

    def changed(self, before):
        """Wait until the figure looks different."""
        self.page.wait_for_function(f"before => {PICTURE} !== before", arg=before, polling=100)

    def becomes(self, picture):
        """Wait until the figure looks as it did once, and then stays so."""
        self.page.wait_for_function(f"picture => {PICTURE} === picture", arg=picture, polling=100)
        assert self.settled() == picture

    def settled(self):
        """Wait until the figure rests."""
        before = None
        while before != (before := self.picture()):
            self.page.wait_for_timeout(1000)  # longer than the panel's own rest
        return before

    def says(self, text):
        """Wait for a sentence anywhere on the page."""
        self.page.get_by_text(text).first.wait_for()

    def screenshot(self, name):
        """A picture of the page in the folder ``ATOMWORK_SCREENSHOTS``, if that is set, to look at."""
        if folder := os.environ.get("ATOMWORK_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{self.name}_{name}.png")

    def counted(self):
        """How many columns there are, by what it says."""
        return int(self.page.get_by_text("columns; ").first.inner_text().split()[0])

    def slide(self, name, key, times=1):
        handle = self.page.locator(".widget-slider", has_text=name).locator(".noUi-handle")
        handle.focus()
        for _ in range(times):
            handle.press(key)

    def button(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def click(self, y, x):
        """Click on the figure at shares of its height and width."""
        canvas = self.page.locator(".jupyter-matplotlib-canvas-div canvas").last
        box = canvas.bounding_box()
        canvas.click(position={"x": x * box["width"], "y": y * box["height"]})

    def drag(self, start, end):
        """Drag over the figure between two shares of its height and width."""
        canvas = self.page.locator(".jupyter-matplotlib-canvas-div canvas").last
        canvas.hover()
        box = canvas.bounding_box()
        corners = [(box["x"] + share * box["width"], box["y"] + share * box["height"]) for share in (start, end)]
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        self.page.mouse.move(*corners[1], steps=8)
        self.page.mouse.up()


PICTURE = """(() => {
  const canvas = document.querySelector(".jupyter-matplotlib-canvas-div canvas");
  if (!canvas || !canvas.width) return 0;
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let i = 0; i < data.length; i += 4) sum = (31 * sum + data[i] + 7 * data[i + 1] + 13 * data[i + 2]) | 0;
  return sum;
})()"""


@cache
def amid_columns():
    """Shares of the height and width of the panel's figure of sample:mos2, where no column is within half a spacing."""
    panel = TuningPanel(micrograph.load("sample:mos2"))
    panel.overlay.canvas.draw()
    places = np.argwhere(np.ones((60, 60))) + 480.0
    distance = cKDTree(panel.columns[["y", "x"]]).query(places)[0]
    x, y = panel.overlay.ax.transData.transform(places[distance.argmax()][::-1])
    width, height = panel.overlay.figure.bbox.size
    assert distance.max() > 0.6 * panel.editing.seen.spacing
    return float(1 - y / height), float(x / width)


def open_lab(address):
    def opened(page):
        page.goto(f"{address}/lab/tree/{Path(NOTEBOOK).name}?token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", polling=100
        )
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_selector(".noUi-handle")
        page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        page.locator(".jupyter-matplotlib").scroll_into_view_if_needed()

    return opened


def open_voila(address, query=""):
    return lambda page: page.goto(f"{address}/?token={TOKEN}{query}")
