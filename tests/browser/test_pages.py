"""Pages that Voilà serves: each for itself, back after a crash, and nothing for those who would do more than look."""

import json
import signal
import urllib.error
import urllib.request

import psutil
import pytest

from tests.browser.conftest import TOKEN, Panel, amid_columns, open_voila

ASK = """async ([kernel, type, content]) => {
  const socket = new WebSocket(`ws://${location.host}/api/kernels/${kernel}/channels?session_id=visitor`);
  await new Promise((open, fail) => { socket.onopen = open; socket.onerror = fail; });
  const answers = [];
  socket.onmessage = ({ data }) => answers.push(typeof data === "string" ? JSON.parse(data).header.msg_type : "binary");
  const header = { msg_id: "1", msg_type: type, session: "visitor", username: "", version: "5.3", date: "" };
  socket.send(JSON.stringify({ channel: "shell", header, parent_header: {}, metadata: {}, content, buffers: [] }));
  await new Promise((rest) => setTimeout(rest, 3000));
  socket.close();
  return answers;
}"""


@pytest.fixture
def panels(chromium, voila):
    opened = []

    def one_more(query=""):
        opened.append(Panel(chromium, open_voila(voila, query)))
        return opened[-1]

    yield one_more
    for panel in opened:
        panel.page.close()


def choices(panel):
    return panel.page.locator(".widget-dropdown select option").all_inner_texts()


def kernel_of(panel):
    return json.loads(panel.page.locator("#jupyter-config-data").inner_text())["kernelId"]


def test_without_the_token_there_is_no_page(voila):
    with urllib.request.urlopen(f"{voila}/", timeout=30) as answer:
        assert "/login" in answer.url
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{voila}/api/kernels/00000000-0000-0000-0000-000000000000?token=wrong", timeout=30)


@pytest.mark.parametrize(
    "path", ["13_tune.ipynb", "../../../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "/etc/hostname.png"]
)
def test_no_file_is_served(voila, path):
    with pytest.raises(urllib.error.HTTPError, match=r"40[34]"):
        urllib.request.urlopen(f"{voila}/voila/files/{path}?token={TOKEN}", timeout=30)


def test_a_visitors_code_is_not_executed(panels, tmp_path):
    panel, proof = panels(), tmp_path / "proof"
    panel.settled()
    code = {"code": f"open({str(proof)!r}, 'w')", "silent": False, "store_history": False, "user_expressions": {}}
    assert "execute_reply" not in panel.page.evaluate(ASK, [kernel_of(panel), "execute_request", code])
    assert not proof.exists()
    assert "kernel_info_reply" in panel.page.evaluate(ASK, [kernel_of(panel), "kernel_info_request", {}])


def test_two_pages_do_not_see_each_others_images(panels, tmp_path):
    first, second = panels(), panels()
    assert "secret.png" not in "".join(choices(first))
    assert not any("link" in choice for choice in choices(first))
    mine = tmp_path / "mine.npy"
    mine.write_bytes(b"no array")
    first.page.locator("input[type=file]").set_input_files(mine)
    first.says("mine.npy can't be read as .npy")
    first.slide("Lower Bound", "PageUp", 5)
    first.settled()
    assert second.page.url != first.page.url
    assert second.counted() != first.counted()
    assert any("mine.npy" in choice for choice in choices(first))
    assert not any("mine.npy" in choice for choice in choices(second))


def test_a_killed_kernel_loses_no_click(panels):
    panel = panels()
    panel.settled()
    panel.slide("Lower Bound", "PageUp", 2)
    panel.button("add")
    panel.click(*amid_columns())
    panel.says("1 edits")
    panel.settled()
    count, address = panel.counted(), panel.page.url
    mine = f"kernel-{kernel_of(panel)}.json"
    (kernel,) = [p for p in psutil.process_iter(["cmdline"]) if mine in " ".join(p.info["cmdline"] or [])]
    kernel.send_signal(signal.SIGKILL)
    kernel.wait(10)
    again = panels("&" + address.partition("?")[2])
    again.settled()
    assert again.counted() == count
    again.says("1 edits")
    assert again.page.url == address
