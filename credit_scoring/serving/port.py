"""Whether the service could listen where it was asked to, told in a line before anything is started."""

import errno
import socket
import sys
from contextlib import suppress

from credit_scoring.errors import ConfigurationError

TRIED = 20  # ports after the one asked for, to name a free one


def check_free(host: str, port: str) -> None:
    """Raise ConfigurationError, with the way out, where nothing can listen on this address."""
    if not (port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise ConfigurationError(f"PORT={port}: expected a number from 0 to 65535.")
    try:
        _listen(host, int(port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ConfigurationError(
                f"HOST={host} PORT={port}: cannot listen there ({error.strerror}). Name an address of this machine and "
                "a port that you may use, such as HOST=127.0.0.1 PORT=3000."
            ) from error
        raise ConfigurationError(
            f"PORT={port}: another process listens there, perhaps a service that you started before. "
            f"Stop it, or take another port: `make serve PORT={_free_after(host, int(port))}`."
        ) from error


def _free_after(host: str, port: int) -> int:
    for each in range(port + 1, min(port + 1 + TRIED, 2**16)):
        with suppress(OSError):
            _listen(host, each)
            return each
    return 0  # any that is free


def _listen(host: str, port: int) -> None:
    """Listen for a moment, as the service will."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1)


def main() -> int:
    """`python -m credit_scoring.serving.port HOST PORT`: 0, or a line on standard error and 1."""
    host, port = sys.argv[1:]
    try:
        check_free(host, port)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
