"""The catalogue of a model that decided: its own, an equal one, or none."""

from dataclasses import replace

import bentoml
import pytest

from credit_scoring.application.catalogue import Catalogue, shipped
from credit_scoring.model import store
from credit_scoring.model.catalogues import catalogue_of
from credit_scoring.model.scorer import Scorer

GONE = "credit_scoring:gone"


def test_a_model_in_the_store_has_its_own(model_tag: str, scorer: Scorer) -> None:
    assert catalogue_of(model_tag, None) == scorer.catalogue


def test_of_a_model_that_is_gone_an_equal_one_of_another_model_is_as_good(model_tag: str, scorer: Scorer) -> None:
    assert model_tag
    assert catalogue_of(GONE, scorer.catalogue.digest) == scorer.catalogue


@pytest.mark.parametrize("digest", [None, shipped("kaggle").digest])
def test_no_other_catalogue_takes_the_place_of_one_that_is_not_known(model_tag: str, digest: str | None) -> None:
    assert model_tag
    assert catalogue_of(GONE, digest) is None


def test_each_model_has_the_catalogue_that_it_was_stored_with(scorer: Scorer) -> None:
    other = Catalogue.model_validate({**scorer.catalogue.model_dump(), "name": "other"})
    tag = store.save(replace(scorer, catalogue=other))
    try:
        assert catalogue_of(tag, None) == other
    finally:
        bentoml.models.delete(tag)
