"""The page of a batch: its pictures, its links, and its order by click."""

import pandas as pd
import pytest
from PIL import Image

from atomwork.batch import index

NAMES = ["b #1.tif", "ä 10.tif", "c%20.tif", "dark.tif"]


@pytest.fixture
def opened(tmp_path, chromium):
    """The page of three runs that went well and one that failed, in a browser."""
    rows = []
    for name, columns in zip(NAMES, (900, 1000, 80.5, None), strict=True):
        ok = columns is not None
        rows.append({"source": name, "out_dir": str(tmp_path / name), "ok": ok, "error": "", "detail": "", "columns": columns})
        (tmp_path / name).mkdir()
        if ok:
            Image.new("RGB", (40, 30)).save(tmp_path / name / "overlay.png")
    (tmp_path / "failures").mkdir()
    (tmp_path / "failures/dark.tif.txt").write_text("why it stopped")
    rows[-1] |= {"error": "<b>dark</b>; give a brighter image", "detail": "failures/dark.tif.txt"}
    (tmp_path / "index.html").write_text(index.page(tmp_path, "a & b", pd.DataFrame(rows).assign(warning="")), encoding="utf-8")
    page = chromium.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    yield page
    page.close()


def order(page):
    return [NAMES.index(name) for name in page.locator("tbody td:nth-child(2)").all_inner_texts()]


def test_a_click_sorts_by_number_or_name_and_another_one_turns_that_round(opened):
    assert order(opened) == [0, 1, 2, 3]
    opened.get_by_role("button", name="columns").click()
    assert [k for k in order(opened) if k != 3] == [2, 0, 1]  # 80.5, 900, 1000
    opened.get_by_role("button", name="columns").click()
    assert [k for k in order(opened) if k != 3] == [1, 0, 2]
    opened.get_by_role("button", name="source").click()
    assert order(opened) == [1, 0, 2, 3]  # ä before b
    opened.get_by_role("button", name="error").click()
    opened.get_by_role("button", name="error").click()
    assert order(opened)[0] == 3


def test_pictures_show_and_lead_to_themselves_and_failures_to_why(opened, tmp_path):
    pictures = opened.locator("img")
    assert pictures.count() == 3
    for k in range(3):
        pictures.nth(k).scroll_into_view_if_needed()
        opened.wait_for_function("img => img.complete && img.naturalWidth === 40", arg=pictures.nth(k).element_handle())
    assert opened.locator("b").count() == 0
    assert "<b>dark</b>; give a brighter image" in opened.locator("tr.failed").inner_text()
    assert "warning" not in opened.locator("thead").inner_text()  # nothing was warned of
    pictures.first.click()
    assert opened.url == (tmp_path / NAMES[0] / "overlay.png").as_uri()
    opened.go_back()
    opened.get_by_role("link", name="dark.tif").click()
    assert opened.inner_text("body") == "why it stopped"
