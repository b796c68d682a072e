"""The estimators that are ours: logistic regression within bounds, against the one without."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from credit_scoring.application.arrays import Flags, Floats
from credit_scoring.model.estimators import MonotoneLogisticRegression

EFFECTS = np.array([1.5, -1.0, 0.5, 0.0])
SIGNS = st.lists(st.sampled_from([-1, 0, 1]), min_size=len(EFFECTS), max_size=len(EFFECTS))


@pytest.fixture(scope="module")
def clients() -> tuple[Floats, Flags]:
    chance = np.random.default_rng(3)
    matrix = chance.normal(size=(800, len(EFFECTS)))
    return matrix, chance.random(800) < expit(matrix @ EFFECTS - 0.7)


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_without_constraints_it_is_scikit_learn_s(clients: tuple[Floats, Flags], strength: float) -> None:
    ours = MonotoneLogisticRegression(C=strength).fit(*clients)
    theirs = LogisticRegression(C=strength, tol=1e-8).fit(*clients)
    np.testing.assert_allclose(ours.coef_, theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(ours.predict_proba(clients[0]), theirs.predict_proba(clients[0]), atol=1e-4)
    assert (ours.predict(clients[0]) == theirs.predict(clients[0])).mean() > 0.99


@settings(max_examples=30, deadline=None)
@given(signs=SIGNS)
def test_every_coefficient_keeps_its_sign_and_those_that_would_break_it_are_zero(
    clients: tuple[Floats, Flags], signs: list[int]
) -> None:
    found = MonotoneLogisticRegression(monotone_constraints=signs).fit(*clients).coef_
    assert all(sign * each >= 0 for sign, each in zip(signs, found, strict=True) if sign)
    against = [place for place, effect in enumerate(EFFECTS) if effect and signs[place] * effect < 0]
    assert (found[against] == 0).all()


def test_the_other_coefficients_are_those_of_a_fit_without_the_columns_at_zero(clients: tuple[Floats, Flags]) -> None:
    matrix, defaulted = clients
    bound = MonotoneLogisticRegression(monotone_constraints=[-1, -1, 0, 0]).fit(matrix, defaulted)
    without = LogisticRegression(tol=1e-8).fit(matrix[:, 1:], defaulted)
    np.testing.assert_allclose(bound.coef_, [0.0, *without.coef_[0]], atol=1e-4)


def test_a_clone_has_the_same_parameters() -> None:
    one = MonotoneLogisticRegression(C=2.0, monotone_constraints=[1, 0])
    assert clone(one).get_params() == one.get_params() == {"C": 2.0, "monotone_constraints": [1, 0], "max_iter": 1000}
