"""Changes to a keys file that leave everything else in it as its owner wrote it."""

import re
import tomllib
from datetime import datetime
from pathlib import Path

from credit_scoring.errors import ConfigurationError
from credit_scoring.serving.auth import Key, expiry_line, read_keys

_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*keys[ \t]*\]\][ \t]*(?:#.*)?$", re.MULTILINE)
_EXPIRY = re.compile(r"^[ \t]*expires[ \t]*=.*\n?", re.MULTILINE)


def find(name: str, path: Path) -> Key:
    """The key of this name; raises ConfigurationError where there is none."""
    keys = read_keys(path)
    for key in keys:
        if key.name == name:
            return key
    known = ", ".join(each.name for each in keys) or "none"
    raise ConfigurationError(f"{path} has no key named {name}; it has {known}.")


def with_expiry(name: str, moment: datetime, path: Path) -> str:
    """The text of the file in which this key is refused from this moment on; raises ConfigurationError."""
    place = [key.name for key in read_keys(path)].index(find(name, path).name)
    text = path.read_text(encoding="utf-8")
    ends = [header.end() for header in _HEADER.finditer(text)]
    if place >= len(ends):
        raise _inline(path)
    start, end = ends[place], ends[place + 1] if place + 1 < len(ends) else len(text)
    changed = f"\n{expiry_line(moment)}{_EXPIRY.sub('', text[start:end])}"
    return _checked(f"{text[:start]}{changed}{text[end:]}", name, moment, path)


def _checked(text: str, name: str, moment: datetime, path: Path) -> str:
    """The text, in which nothing but the expiry of this key may be another."""
    before = tomllib.loads(path.read_text(encoding="utf-8"))
    for key in before["keys"]:
        if key["name"] == name:
            key["expires"] = moment.replace(microsecond=0)
    try:
        is_as_meant = tomllib.loads(text) == before
    except tomllib.TOMLDecodeError:
        is_as_meant = False
    if not is_as_meant:
        raise _inline(path)
    return text


def write(text: str, path: Path) -> None:
    """Write the file, readable by nobody else where it is new; raises ConfigurationError where that fails."""
    try:
        path.touch(mode=0o600)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--file {path}: cannot be written ({error.strerror}).") from error


def _inline(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path}: the key cannot be found by its [[keys]] table. Write each key as a [[keys]] table of its own."
    )
