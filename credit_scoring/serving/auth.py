"""Who may ask: API keys, of which only hashes are kept."""

import hashlib
import hmac
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from credit_scoring.application.schemas import faults, faults_of_file
from credit_scoring.application.suggestions import ended
from credit_scoring.decisions.owners import sign
from credit_scoring.errors import ConfigurationError, RequestError

Headers = Mapping[bytes, bytes]
Anonymous = Literal["loopback", "anywhere", "nowhere"]

SCHEME = b"bearer"
HASH = r"^[0-9a-f]{64}$"
NAME = r"^[a-z0-9][a-z0-9._-]{0,31}$"
_PROXIES_HEADERS = frozenset(
    {
        *(b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"),
        *(b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port", b"x-forwarded-server"),
    }
)
_PORT = re.compile(r":\d*$")
_LONGEST_NAME = 255  # bytes of a host, its port included: longer ones are not worth remembering


class Scope(StrEnum):
    """What a key may be used for."""

    PREDICT = "predict"
    OUTCOMES = "outcomes"
    READ = "read"
    WHAT_IF = "what_if"
    REVIEW = "review"


def _first_moment(value: Any) -> Any:
    """A day of TOML begins at midnight, UTC."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, BeforeValidator(_first_moment), AfterValidator(_in_utc)]


class Key(BaseModel):
    """A key as it is kept: its name stands in the decision log, the key itself nowhere.

    Application ids belong to the owner, who may have several keys; without one, the key's name is the owner's, too.
    From `expires` on it is refused; without one it is good for ever.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    sha256: str = Field(pattern=HASH)
    scopes: frozenset[Scope] = Field(min_length=1)
    owner: str | None = Field(None, pattern=NAME)
    expires: Moment | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether it is no longer good."""
        return self.expires is not None and self.expires <= now

    @property
    def signature(self) -> str:
        """How it is recorded that this key asked."""
        return sign(self.owner or self.name, self.name)


class Keyring(BaseModel):
    """The keys that are good, several at once so that one can take another's place; and who needs none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[Key, ...] = ()
    anonymous: Anonymous = "loopback"

    @classmethod
    def read(cls, path: Path | None, anonymous: Anonymous) -> Self:
        """The keys of a TOML file; raises ConfigurationError when it is missing or wrong, or where keys are a must."""
        keys = read_keys(path) if path else ()
        if path and not keys:
            raise ConfigurationError(
                f"API keys file {path}: holds no key. Add one with `credit-scoring keys new`, or unset "
                "CREDIT_SCORING_API_KEYS_FILE."
            )
        if not keys and anonymous == "nowhere":
            raise ConfigurationError(
                "No API keys, and CREDIT_SCORING_ANONYMOUS=nowhere asks for some. Make one with `credit-scoring keys "
                "new`, and name its file in CREDIT_SCORING_API_KEYS_FILE."
            )
        return cls(keys=keys, anonymous=anonymous)

    def admit(self, headers: Headers, peer: str | None, scope: Scope | None = None) -> str:
        """The signature of the key that these headers bear, empty where none is needed.

        `peer` is the address that the request comes from; None for `scope` stands for any. Raises RequestError: 401
        without a good key, 403 where it is not good for this.
        """
        if not self.keys:
            if self.anonymous != "anywhere":
                _check_local(headers, peer)
            return ""
        key = self._key_of(headers)
        if scope is not None and scope not in key.scopes:
            raise RequestError(403, f"The key {key.name} is not for this: it lacks the scope {scope.value}.", "scope")
        return key.signature

    def admit_reader(self, headers: Headers, peer: str | None) -> None:
        """For what tells of the service and needs no key: raises RequestError where others are not to know of it.

        Where keys are set anybody may read it; where none are, those who are answered without one.
        """
        if not self.keys:
            self.admit(headers, peer)

    def _key_of(self, headers: Headers) -> Key:
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != SCHEME or not secret:
            raise RequestError(401, "An API key is needed, in the header `Authorization: Bearer …`.", "no_key")
        key = self.find(secret)
        if key is None:
            raise RequestError(401, "The API key is not known.", "unknown_key")
        if key.expires is not None and key.is_expired(datetime.now(UTC)):
            since = f"{key.expires:%Y-%m-%d %H:%M} UTC"
            raise RequestError(401, f"The API key {key.name} expired on {since}. Ask for a new one.", "expired_key")
        return key

    def find(self, secret: bytes) -> Key | None:
        """The key whose secret this is; it may have expired."""
        found = hashlib.sha256(secret.strip()).hexdigest()
        return next((key for key in self.keys if hmac.compare_digest(key.sha256, found)), None)


_LOCAL_ONLY = (
    "No API keys are set, so only this machine is answered{}. See CREDIT_SCORING_API_KEYS_FILE; "
    "CREDIT_SCORING_ANONYMOUS=anywhere answers everybody, for services behind a gateway that asks for keys itself."
)


def _check_local(headers: Headers, peer: str | None) -> None:
    """Raises RequestError unless a request comes from this machine itself.

    What a proxy on it passes on does not, nor what a browser on it sends for another site: under a name of that site
    that resolves to this machine (DNS rebinding), or across origins.
    """
    if peer is None or not _is_loopback(peer) or not _PROXIES_HEADERS.isdisjoint(headers):
        raise RequestError(401, _LOCAL_ONLY.format(""), "no_keys")
    host, origin = headers.get(b"host"), headers.get(b"origin")
    if host is not None and not _is_own_name(host[: _LONGEST_NAME + 1]):
        expected = ", under the name localhost or a loopback address; the request's Host is another"
        raise RequestError(401, _LOCAL_ONLY.format(expected), "no_keys")
    if origin is not None and origin.partition(b"://")[2] != host:
        expected = ", and only for its own pages; the request's Origin is another"
        raise RequestError(401, _LOCAL_ONLY.format(expected), "no_keys")


@lru_cache(maxsize=1024)
def _is_own_name(host: bytes) -> bool:
    """Whether a Host header names this machine in a way that no other site can claim."""
    name = _PORT.sub("", host.decode("latin-1").lower())
    if len(host) > _LONGEST_NAME:
        return False
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class _KeysFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[Key, ...] = ()


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a TOML file, if any; raises ConfigurationError when it is missing or wrong."""
    try:
        found = _KeysFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).keys
    except OSError as error:
        raise ConfigurationError(f"API keys file {path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"API keys file {path}: not valid TOML: {error}.") from error
    except ValidationError as error:
        problems = "; ".join(f"{fault.field}: {fault.message}" for fault in faults_of_file(error, _KeysFile))
        raise ConfigurationError(ended(f"API keys file {path}: {problems}")) from error
    names = [key.name for key in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"API keys file {path}: more than one key is named {', '.join(twice)}.")
    return found


def entry(
    name: str, secret: str, scopes: frozenset[Scope], owner: str | None = None, expires: datetime | None = None
) -> str:
    """The lines of a keys file for a key; raises ConfigurationError for names that cannot be used."""
    digest = hashlib.sha256(secret.encode()).hexdigest()
    try:
        key = Key(name=name, sha256=digest, scopes=scopes, owner=owner, expires=expires)
    except ValidationError as error:
        fault = faults(error)[0]
        found = f"owner {owner}" if fault.field == "owner" else f"name {name}"
        raise ConfigurationError(f"Key {found}: {fault.message}.") from error
    listed = ", ".join(f'"{scope.value}"' for scope in Scope if scope in key.scopes)
    of_owner = f'owner = "{key.owner}"\n' if key.owner else ""
    until = f"{expiry_line(key.expires)}\n" if key.expires else ""
    return f'[[keys]]\nname = "{key.name}"\n{of_owner}sha256 = "{key.sha256}"\nscopes = [{listed}]\n{until}'


def expiry_line(moment: datetime) -> str:
    """The line of a keys file for the moment from which a key is refused."""
    return f"expires = {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
