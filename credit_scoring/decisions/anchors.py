"""Signed notes of where the chains ended, one a line, each bound to the line before; made to be kept elsewhere."""

import base64
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from credit_scoring.decisions.chain import Hash, Head
from credit_scoring.decisions.ends import End
from credit_scoring.errors import ConfigurationError

FINGERPRINT_LENGTH = 16


@dataclass(frozen=True)
class Anchor:
    """The ends of the chains that had grown since the anchor before, and of the chain of events."""

    number: int
    noted_at: datetime
    heads: tuple[End, ...]
    last_event: Head


class Anchors:
    """A file of anchors, and the key that has to have signed every line of it."""

    def __init__(self, path: Path, key: Ed25519PublicKey) -> None:
        self._path = path
        self._key = key
        self.last: Anchor | None = None

    def __iter__(self) -> Iterator[Anchor]:
        """Each anchor, checked; `last` is the one that was read last. Raises ConfigurationError."""
        try:
            with self._path.open("rb") as file:
                yield from self._read(file)
        except OSError as error:
            raise self._error(f"cannot be read ({error.strerror}).") from error

    def append(self, key: Ed25519PrivateKey, ends: Iterable[End], last_event: Head) -> Anchor:
        """Add an anchor of these ends, as far as they are new; raises ConfigurationError.

        Nothing is added behind a line that this key has not signed.
        """
        try:
            with self._path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                return self._append(file, key, ends, last_event)
        except OSError as error:
            raise self._error(f"cannot be written ({error.strerror}).") from error

    def _append(self, file: BinaryIO, key: Ed25519PrivateKey, ends: Iterable[End], last_event: Head) -> Anchor:
        self._previous = ""
        noted = {writer: (number, hashed) for anchor in self._read(file) for writer, number, hashed in anchor.heads}
        new = tuple(end for end in ends if noted.get(end[0]) != end[1:])
        number = self.last.number + 1 if self.last else 1
        anchor = Anchor(number, datetime.now(UTC), new, last_event)
        content = {
            "number": number,
            "noted_at": anchor.noted_at.isoformat(timespec="microseconds"),
            "heads": new,
            "last_event": last_event,
            "previous": self._previous,
            "key": fingerprint(self._key),
        }
        signature = base64.b64encode(key.sign(_signed_text(content))).decode()
        file.write(json.dumps(content | {"signature": signature}, separators=(",", ":")).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        return anchor

    def _read(self, file: Iterable[bytes]) -> Iterator[Anchor]:
        self.last, self._previous = None, ""
        for number, line in enumerate(file, 1):
            self.last = self._checked(number, line)
            self._previous = hashlib.sha256(line).hexdigest()
            yield self.last

    def _checked(self, number: int, line: bytes) -> Anchor:
        try:
            content: Any = json.loads(line) if line.endswith(b"\n") else None
            signature, signer = content.pop("signature"), content["key"]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise self._error(f"line {number} is cut off or is no anchor. Take the file from another copy.") from None
        if signer != fingerprint(self._key):
            raise self._error(f"line {number} was signed with key {signer}, expected {fingerprint(self._key)}.")
        try:
            self._key.verify(base64.b64decode(signature), _signed_text(content))
        except (InvalidSignature, ValueError, TypeError):
            raise self._error(f"the signature of line {number} is wrong: it was altered.") from None
        if (content["number"], content["previous"]) != (number, self._previous):
            raise self._error(f"line {number} does not follow the line before: lines were removed or inserted.")
        return _anchor(content)

    def _error(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"--anchors {self._path}: {what}")


def _anchor(content: dict[str, Any]) -> Anchor:
    heads = tuple((writer, number, hashed) for writer, number, hashed in content["heads"])
    return Anchor(content["number"], datetime.fromisoformat(content["noted_at"]), heads, Head(*content["last_event"]))


def _signed_text(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":"), sort_keys=True).encode()


def fingerprint(key: Ed25519PublicKey) -> Hash:
    """The beginning of the SHA-256 of a public key, which tells keys apart."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:FINGERPRINT_LENGTH]


def make_keys(private: Path, public: Path) -> None:
    """Write a new pair to these files, of which neither may exist; raises ConfigurationError."""
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    known = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for option, path, content, mode in (("--key", private, secret, 0o600), ("--public-key", public, known, 0o644)):
        try:
            path.touch(mode, exist_ok=False)
            path.write_bytes(content)
        except OSError as error:
            raise ConfigurationError(f"{option} {path}: cannot be written ({error.strerror}).") from error


def read_key(path: Path) -> Ed25519PrivateKey:
    """The key that signs; raises ConfigurationError."""
    try:
        key = load_pem_private_key(_content("--key", path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"--key {path}: expected an Ed25519 private key in PEM form, without a password.")
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The key that checks; raises ConfigurationError."""
    try:
        key = load_pem_public_key(_content("--public-key", path))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(f"--public-key {path}: expected an Ed25519 public key in PEM form.")
    return key


def _content(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{option} {path}: cannot be read ({error.strerror}).") from error
