"""Sound files made unsound: the same number gives the same file."""

import re
import struct

import numpy as np

from tests.fuzz.bombs import bombs
from tests.fuzz.seeds import SHAPE, Seed, sound

ODD = (0, 1, -1, 2, 255, 60_000, 2**16, 10**6, 2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, -(2**31), -(2**63))
BOMB_EVERY = 10  # of the numbers, one is a file that is made to state more than it holds


class Mutations:
    """Numbered unsound files.

    Parameters
    ----------
    folder : where the sound files are written that the others come from
    """

    def __init__(self, folder):
        self.seeds = sound(folder)
        self.bombs = bombs(folder)

    def __getitem__(self, number):
        """The `Seed` of that number, its ``name`` telling what was done to which file."""
        if number % BOMB_EVERY == 0:
            return self.bombs[number // BOMB_EVERY % len(self.bombs)]
        rng = np.random.default_rng(number)
        seed = self.seeds[rng.integers(len(self.seeds))]
        content, done = seed.content, []
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            name = rng.choice(list(CHANGES))
            content = CHANGES[name](content, rng, self.seeds[rng.integers(len(self.seeds))])
            done.append(name)
        return Seed(f"{seed.name}: {', '.join(done)}", seed.ending, content, seed.frame)


def place(content, rng):
    """A byte of the file: anywhere, or more likely the closer to its begin or its end, where headers and directories are."""
    length = max(len(content), 1)
    near = int(length ** rng.random()) - 1
    return [int(rng.integers(length)), near, near, length - 1 - near][rng.integers(4)]


def block(content, rng):
    """Begin and end of a part, of any size up to half of the file."""
    begin = place(content, rng)
    return begin, begin + int((max(len(content), 2) / 2) ** rng.random())


def bits_flipped(content, rng, _):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 17) if changed else 0):
        changed[place(content, rng)] ^= 1 << rng.integers(8)
    return bytes(changed)


def header_bytes(content, rng, _):
    changed = bytearray(content)
    for _ in range(rng.integers(1, 9) if changed else 0):
        changed[rng.integers(min(len(changed), 1024))] = rng.integers(256)
    return bytes(changed)


def truncated(content, rng, _):
    return content[: place(content, rng)]


def emptied(content, rng, _):
    return b""


def block_removed(content, rng, _):
    begin, end = block(content, rng)
    return content[:begin] + content[end:]


def block_duplicated(content, rng, _):
    begin, end = block(content, rng)
    return content[:end] + content[begin:end] * rng.integers(1, 4) + content[end:]


def block_zeroed(content, rng, _):
    begin, end = block(content, rng)
    return content[:begin] + b"\0" * len(content[begin:end]) + content[end:]


def block_of_noise(content, rng, _):
    begin, end = block(content, rng)
    return content[:begin] + rng.bytes(len(content[begin:end])) + content[end:]


def blocks_swapped(content, rng, _):
    (a, b), (c, d) = sorted([block(content, rng), block(content, rng)])
    b = min(b, c)
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def integer_replaced(content, rng, _):
    """A number where one may stand, signed or not, of either byte order."""
    at = place(content, rng)
    at -= at % rng.choice([1, 2, 4, 8])
    number, width = int(rng.choice(np.array(ODD, object))), int(rng.choice([2, 4, 8]))
    new = (number % 2 ** (8 * width)).to_bytes(width, rng.choice(["little", "big"]))
    return content[:at] + new + content[at + width :]


def side_replaced(content, rng, _):
    """One of the places that state the height or the width, in binary."""
    forms = [struct.pack(order + code, side) for side in SHAPE for order in "<>" for code in "hiq"]
    found = [(match.start(), form) for form in forms for match in re.finditer(re.escape(form), content[:300_000])]
    if not found:
        return integer_replaced(content, rng, _)
    at, form = found[rng.integers(len(found))]
    new = int(rng.choice(np.array(ODD, object))) % 2 ** (8 * len(form))
    return content[:at] + new.to_bytes(len(form), "little" if form[0] else "big") + content[at + len(form) :]


def digits_replaced(content, rng, _):
    """A number in the text of a header."""
    found = list(re.finditer(rb"\d+", content[:300_000]))
    if not found:
        return truncated(content, rng, _)
    match = found[min(int(len(found) ** rng.random()), len(found)) - 1]
    return content[: match.start()] + str(rng.choice(np.array(ODD, object))).encode() + content[match.end() :]


def junk_appended(content, rng, _):
    return content + rng.bytes(rng.integers(1, 10_000))


def junk_in_front(content, rng, _):
    return rng.bytes(rng.integers(1, 600)) + content


def of_another_kind(content, rng, other):
    return other.content


def spliced(content, rng, other):
    return content[: place(content, rng)] + other.content[place(other.content, rng) :]


def only_the_signature(content, rng, _):
    return content[: rng.integers(2, 64)] + rng.bytes(rng.integers(1, 5000))


CHANGES = {
    change.__name__.replace("_", " "): change
    for change in (
        bits_flipped,
        header_bytes,
        truncated,
        emptied,
        block_removed,
        block_duplicated,
        block_zeroed,
        block_of_noise,
        blocks_swapped,
        integer_replaced,
        side_replaced,
        digits_replaced,
        junk_appended,
        junk_in_front,
        of_another_kind,
        spliced,
        only_the_signature,
    )
}
