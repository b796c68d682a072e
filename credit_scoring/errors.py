"""Everything that can go wrong, as one tree.

CreditScoringError
├── ConfigurationError     a setting or option that cannot be used
├── CatalogueError         a field catalogue that cannot be used
├── PolicyError            a policy that cannot be used
├── DataError              training data that cannot be used
│   └── BadRowsError (data.datasets)  more of its rows are bad than are allowed
├── ModelNotFoundError     the store has no such model
├── ModelRejectedError     a stored model that must not decide, or a new one that misses the gate
├── ModelStoreError        the model store cannot be read or written
├── ScoringError           an application could not be scored
├── ExplanationError       a decision cannot be explained by the model that gave it
├── RequestError           a request that cannot be answered as it is
│   ├── InvalidApplicationError (application.schemas)  an application with faults
│   ├── RateLimitError     one key asks more often than it may
│   ├── RepeatError        an application id used again for another application
│   ├── UnknownReplacedError  an application replaces one that is not on record
│   └── UnreadableError    what is on record of its application id cannot be read
├── DecisionLogError       the decision log cannot be read or written
│   └── DuplicateError     it holds already what was to be unique
└── UnavailableError       the service cannot answer now
    ├── NotReadyError      it has no model that may decide, or no decision log to write to
    ├── NotStoredError     it has decided, but could not store the decision in time
    └── OverloadedError    it cannot answer within its budget
"""


class CreditScoringError(Exception):
    """A failure with a message for people: what, the value found, what was expected and what to do next."""


class ConfigurationError(CreditScoringError):
    """A setting or option has a value that cannot be used."""


class CatalogueError(CreditScoringError):
    """A field catalogue cannot be read, or says what cannot be."""


class PolicyError(CreditScoringError):
    """A policy cannot be read, contradicts itself, or does not do what its cases expect."""


class DataError(CreditScoringError):
    """Training data is missing, foreign, or has too many bad rows."""


class ModelNotFoundError(CreditScoringError):
    """The model store holds no model under the tag asked for."""


class ModelRejectedError(CreditScoringError):
    """A model failed a check that stands between it and people's credit."""


class UnpublishedError(ModelRejectedError):
    """A model was trained, but may not be published; `card` is its model card as JSON."""

    def __init__(self, message: str, card: str) -> None:
        super().__init__(message)
        self.card = card


class ModelStoreError(CreditScoringError):
    """The model store cannot be read or written."""


class ScoringError(CreditScoringError):
    """An application could not be scored, though it was valid."""


class ExplanationError(CreditScoringError):
    """A decision cannot be explained by the model that gave it."""


class DecisionLogError(CreditScoringError):
    """The decision log cannot be read or written; `cause` is what its driver raised, which may hold values of a row."""

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class DuplicateError(DecisionLogError):
    """The decision log holds already what was to be unique in it."""


class RequestError(CreditScoringError):
    """A request cannot be answered as it is; `status` is HTTP's, `kind` a stable name."""

    def __init__(self, status: int, message: str, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class RateLimitError(RequestError):
    """One key asks more often than it may; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(429, message, "rate_limit")
        self.retry_after = retry_after


class RepeatError(RequestError):
    """An application id was used before, for an application with other content."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message, "repeated_application_id")


class UnknownReplacedError(RequestError):
    """An application is to replace one that its owner has not had decided; one of another owner counts as none."""

    def __init__(self, message: str) -> None:
        super().__init__(409, message, "unknown_replaced")


class UnreadableError(RequestError):
    """The decision on record under an application id is missing or damaged; whoever else asks is not affected."""

    def __init__(self, message: str) -> None:
        super().__init__(500, message, "unreadable_decision")


class UnavailableError(CreditScoringError):
    """The service cannot answer now; `retry_after` is in seconds."""

    kind = "unavailable"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReadyError(UnavailableError):
    """No model is loaded that may decide, or no decision could be stored."""

    kind = "not_ready"


class NotStoredError(UnavailableError):
    """A decision could not be stored in time, so it is not given."""

    kind = "not_stored"


class OverloadedError(UnavailableError):
    """The service refuses a request that it could not answer in time."""

    kind = "overloaded"


def place_of(error: BaseException) -> str:
    """File and line where an error arose; its message may hold an applicant's value and stays out of the log."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown place"
