"""Where a page keeps its files: a folder of its own, to which its address leads back after a crash."""

import os
import re
import secrets
import shutil
from pathlib import Path
from urllib.parse import parse_qs

from filelock import FileLock, Timeout

NAME = re.compile("[0-9a-f]{32}")
HELD = []  # locks that this process keeps as long as it lives


def folder_of_page(out_dir, environment=os.environ):
    """The folder of the page that a kernel serves, and the name by which its address leads back to it.

    Every page of Voilà has a folder whose name can't be guessed; one that another kernel still holds is copied. A notebook has
    ``out_dir`` itself.

    Parameters
    ----------
    out_dir : path
    environment : mapping, where Voilà tells of its request

    Returns
    -------
    folder : Path
    name : str, empty for a notebook
    """
    out_dir = Path(out_dir)
    if not environment.get("SERVER_SOFTWARE", "").startswith("voila"):
        return out_dir, ""
    asked = parse_qs(environment.get("QUERY_STRING", "")).get("session", [""])[0]
    known = bool(NAME.fullmatch(asked)) and (out_dir / asked).is_dir()
    if known and held(out_dir / asked):
        return out_dir / asked, asked
    name = secrets.token_hex(16)
    if known:
        shutil.copytree(out_dir / asked, out_dir / name, ignore=shutil.ignore_patterns("lock", ".*"))
    else:
        (out_dir / name).mkdir(parents=True)
    held(out_dir / name)
    return out_dir / name, name


def held(folder):
    """Whether this process could take hold of a folder; it is set free by the process's end, however that comes."""
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    HELD.append(lock)
    return True
