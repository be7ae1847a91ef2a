"""What a notebook asks of the page that shows it: files in, files out, and an address to come back to."""

import os
import re
from pathlib import Path

import anywidget
import traitlets

from atomwork.micrograph import KINDS

LARGEST = 256  # MB of a file that is taken


class Page(anywidget.AnyWidget):
    """Uploads of limited size and kind, by parts, and downloads.

    The browser refuses what is too large or of another kind before it reads it; the kernel refuses it all the same.

    Parameters
    ----------
    folder : path, where uploads go; made when the first comes
    arrived : function of the path of a file that was uploaded
    files : function that returns a dict of names and functions, which write a file of that name to the path they are given
    made : path of the folder for files that are asked for

    Attributes
    ----------
    names : list of str, files that can be asked for
    said : str, a sentence about the last file
    """

    _esm = Path(__file__).with_name("page.js")
    kinds = traitlets.List(list(KINDS)).tag(sync=True)
    largest = traitlets.Int(LARGEST).tag(sync=True)
    names = traitlets.List().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    address = traitlets.Unicode().tag(sync=True)

    def __init__(self, folder, arrived, files, made, **traits):
        self.folder, self.arrived, self.files, self.made = Path(folder), arrived, files, Path(made)
        self.partial, self.came = None, 0
        super().__init__(names=list(files()), **traits)
        self.on_msg(self.heard)

    def heard(self, _, content, buffers):
        """A part of a file, or the wish for one."""
        try:
            if content.get("want") is not None:
                self.give(str(content["want"]))
            elif content.get("name") is not None:
                self.take(str(content["name"]), int(content["size"]), int(content["at"]), bytes(buffers[0]) if buffers else b"")
        except (ValueError, OSError) as error:
            self.said = str(error)
            self.send({"stop": True})

    def give(self, name):
        """Send a file that is among those offered."""
        makers = self.files()
        if name not in makers:
            raise ValueError(f"{name} is not among the files here; choose one of {', '.join(makers)}.")
        self.made.mkdir(parents=True, exist_ok=True)
        path, partial = self.made / name, self.made / f"partial-{name}"
        makers[name](partial)
        os.replace(partial, path)
        self.send({"file": name}, buffers=[path.read_bytes()])

    def take(self, name, size, at, part):
        """Take the next part of a file; the last one makes it whole."""
        name = self.checked(name, size)
        if at == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.partial, self.came = self.folder / f".{name}.partial", 0
            self.partial.unlink(missing_ok=True)
        if self.partial is None or at != self.came or self.came + len(part) > size:
            raise ValueError(f"{name} came in the wrong order; upload it again.")
        with self.partial.open("ab") as file:
            file.write(part)
        self.came += len(part)
        if self.came < size:
            self.send({"next": self.came})
            return
        path = self.folder / name
        os.replace(self.partial, path)
        self.partial = None
        self.said = f"{name} is here."
        self.send({"stop": True})
        self.arrived(path)

    def checked(self, name, size):
        """A plain file name, if its kind and size are allowed; the page's own word on what is allowed doesn't count."""
        plain = re.sub(r"[^\w. -]+", "_", Path(name.replace("\\", "/")).name).lstrip(".")
        if Path(plain).suffix.lower() not in KINDS:
            raise ValueError(f"{plain or name} is of no kind that is read here; upload one of {', '.join(KINDS)}.")
        if not 0 < size <= LARGEST * 10**6:
            raise ValueError(f"{plain} has {size / 1e6:.0f} MB, between 0 and {LARGEST} are taken; crop or bin it first.")
        return plain
