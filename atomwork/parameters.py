"""Parameters as people write them: YAML, NAME=VALUE on a command line, and names that nobody takes."""

import re
from pathlib import Path

import yaml

DATE, FLOAT = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float"


class Plain(yaml.SafeLoader):
    """Safe YAML without dates, which nothing here takes, and with 1e-3 as a number, as in YAML 1.2."""


# a copy, since the class it derives from shares its own
Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != DATE]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Plain.add_implicit_resolver(FLOAT, re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789"))


def read(text, name):
    """What a YAML text holds.

    Parameters
    ----------
    text : str
    name : str, what it is called in an error

    Raises
    ------
    ValueError : it is no YAML, or more than numbers, words, lists and dicts
    """
    try:
        loader = Plain(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is no YAML ({str(error).splitlines()[0]}); give NAME: VALUE, or a list of such.") from error


def value(text, name):
    """One value: a number, true, false, null, or what is quoted or in brackets, as in YAML; else the text, such as a file name.

    Parameters
    ----------
    text, name : see `read`

    Raises
    ------
    ValueError : quotes or brackets that don't end
    """
    if text.lstrip().startswith(("[", "{", '"', "'")):
        return read(text, name)
    try:
        found = read(text, name)
    except ValueError:
        return text
    # "run #3.tif" is "run" to YAML, and "run: 3.tif" a dict
    return found if found is None or isinstance(found, (bool, int, float)) else text


def of_file(path):
    """Parameters by name, of a YAML file.

    Raises
    ------
    FileNotFoundError : no such file
    ValueError : it holds something else
    """
    found = read_file(path)
    if not isinstance(found or {}, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, not parameters by name; give NAME: VALUE in every line.")
    return found or {}


def read_file(path):
    """What a YAML file holds; errors as of `read`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no YAML ({error}); save it as UTF-8.") from error
    return read(text, path)


def of_pairs(pairs):
    """Parameters by name, of texts NAME=VALUE, see `value`.

    Raises
    ------
    ValueError : another text
    """
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise ValueError(f"-p {pair} is no NAME=VALUE; write -p lower_bound=0.2, for example.")
        found[name] = value(text, f"-p {pair}")
    return found


def refuse(taker, given, taken):
    """Refuse parameters that aren't taken.

    Parameters
    ----------
    taker : str, who takes parameters
    given, taken : iterables of str

    Raises
    ------
    ValueError : with all that are taken
    """
    unknown = sorted(set(given) - set(taken))
    if unknown:
        raise ValueError(f"{taker} has no parameter {', '.join(map(repr, unknown))}; it takes {', '.join(sorted(taken))}.")
