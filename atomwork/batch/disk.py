"""Where results go: whole files or none, and a clear word when there is no room."""

import errno
import os
import re
import tempfile

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class Full(OSError):
    """No room is left for results, or their disk has become read-only."""

    def __str__(self):
        return self.args[0]


def is_full(error):
    """Whether an error, of this process or as a notebook's kernel told it, says that nothing more can be written."""
    told = re.search(r"\[Errno (\d+)\]", str(error))
    numbers = {getattr(error, "errno", None), getattr(error.__cause__, "errno", None), told and int(told[1])}
    return not FULL.isdisjoint(numbers)


def check_writable(out_dir):
    """Refuse an output folder that can't be written, without leaving anything in it."""
    existing = next(p for p in (out_dir, *out_dir.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise PermissionError(f"out_dir={out_dir} can't be written ({error.strerror}); choose a folder of your own.") from error


def whole(path, text):
    """Write a text file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
