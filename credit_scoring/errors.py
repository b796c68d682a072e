"""Everything that can go wrong, as one tree.

CreditScoringError
├── ConfigurationError     a setting or option that cannot be used
├── DataError              training data that cannot be used
├── ModelNotFoundError     the store has no such model
├── ModelRejectedError     a stored model that must not decide, or a new one that misses the gate
├── StoreError             the model store cannot be read or written
├── ScoringError           an application could not be scored
├── RequestError           a request that no application can be read from
└── UnavailableError       the service cannot answer now
    ├── NotReadyError      it has no model that may decide
    └── OverloadedError    it cannot answer within its budget
"""


class CreditScoringError(Exception):
    """A failure with a message for people: what, the value found, what was expected and what to do next."""


class ConfigurationError(CreditScoringError):
    """A setting or option has a value that cannot be used."""


class DataError(CreditScoringError):
    """Training data is missing, foreign, or has too many bad rows."""


class ModelNotFoundError(CreditScoringError):
    """The model store holds no model under the tag asked for."""


class ModelRejectedError(CreditScoringError):
    """A model failed a check that stands between it and people's credit."""


class StoreError(CreditScoringError):
    """The model store cannot be read or written."""


class ScoringError(CreditScoringError):
    """An application could not be scored, though it was valid."""


class RequestError(CreditScoringError):
    """A request is refused before its content is looked at; `status` is HTTP's, `kind` a stable name."""

    def __init__(self, status: int, message: str, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class UnavailableError(CreditScoringError):
    """The service cannot answer now; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(UnavailableError):
    """No model is loaded that may decide."""


class OverloadedError(UnavailableError):
    """The service refuses a request that it could not answer in time."""
