"""What the desk tells of errors, in Portuguese."""

from credit_scoring.errors import RequestError
from credit_scoring.review.pages import FAILED, told
from tests.serving.test_problems import raised


def test_every_error_that_the_desk_raises_has_a_sentence_that_says_what_happened() -> None:
    kinds = {(status, kind) for path, status, kind in raised() if "/review/" in path}
    assert len(kinds) > 5
    assert [kind for status, kind in kinds if told(RequestError(status, "In English.", kind)) == FAILED] == []


def test_a_model_without_levers_is_no_failure_of_the_service() -> None:
    sentence = "O catálogo deste modelo não tem campos que o cliente possa mudar; não há o que simular."
    assert told(RequestError(400, "The field catalogue own of this model has no levers.", "no_levers")) == sentence
