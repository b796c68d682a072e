"""How the way to PostgreSQL is encrypted, by the names that libpq has for it: `sslmode`, `sslrootcert`, `sslcert`."""

import ssl
from collections.abc import Mapping

from sqlalchemy import URL

from credit_scoring.errors import ConfigurationError

MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SYSTEM = "system"
_OURS = ("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword")


def encryption(url: URL) -> tuple[URL, ssl.SSLContext | None]:
    """The address without what the context says; None where the driver does what `sslmode` says.

    As in libpq, a mode that verifies takes the authorities in the file `sslrootcert`, and with such a file `require`
    verifies, too. Without one, or with `system`, those that the machine trusts count; the driver looks at home only.
    Raises ConfigurationError.
    """
    said = {name: str(value) for name, value in url.query.items()}
    if "ssl" in said:
        raise ConfigurationError(
            f"The address of the decision log says ssl={said['ssl']}. Say sslmode, as in sslmode=verify-full."
        )
    mode = said.get("sslmode", "prefer")
    if mode not in MODES:
        raise ConfigurationError(
            f"The address of the decision log says sslmode={mode}. Expected one of {', '.join(MODES)}."
        )
    if not mode.startswith("verify") and not (mode == "require" and "sslrootcert" in said):
        return url, None
    return url.difference_update_query(_OURS), _verifying(said, mode)


def _verifying(said: Mapping[str, str], mode: str) -> ssl.SSLContext:
    root = said.get("sslrootcert", SYSTEM)
    try:
        context = ssl.create_default_context(cafile=None if root == SYSTEM else root)
        if "sslcert" in said:
            context.load_cert_chain(said["sslcert"], said.get("sslkey"), said.get("sslpassword"))
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(f"{name}={said[name]}" for name in ("sslrootcert", "sslcert", "sslkey") if name in said)
        raise ConfigurationError(
            f"The address of the decision log says {files}: {error.strerror or error}. "
            "Expected files in PEM form that the service may read."
        ) from error
    context.check_hostname = mode == "verify-full"
    return context
