"""What is said in the log while decisions cannot be stored, without any value of an applicant."""

import logging

from credit_scoring.errors import DecisionLogError, place_of


class Outage:
    """Logs a message once, until there is another one or the outage is over."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._logged = ""

    def log(self, message: str) -> None:
        """An error, unless it was the last one."""
        if message != self._logged:
            self._logged = message
            self._logger.error("%s", message)

    def end(self) -> None:
        """Whatever comes next is news."""
        self._logged = ""


def reason(error: Exception) -> str:
    """In a sentence why nothing was stored; the message of an unexpected error may hold a value and is left out."""
    if isinstance(error, DecisionLogError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "The decision log is slow."
    return f"Storing failed: {type(error).__name__} at {place_of(error)}."
