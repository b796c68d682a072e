"""What a training on the decision log cannot know, from what it has made."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from credit_scoring.application.arrays import Floats
from credit_scoring.data.datasets import Dataset
from credit_scoring.data.samples import sampled
from credit_scoring.evaluation.selection_bias import Scored, selection_bias, together
from credit_scoring.model.card import SelectionBias
from credit_scoring.training.past_cut_off import Studied
from credit_scoring.training.selection import Compared


def blind_spots(
    found: Compared, risk: Floats, pipeline: Pipeline, part: Dataset, test_part: Dataset, studied: Studied, seed: int
) -> SelectionBias | None:
    """The card's part on clients without an outcome; None where the data do not come from a decision log.

    `risk` is held out, of the rows that were compared on; `pipeline` is fitted to all of `part`. Where the comparison
    had a sample of it, so have the test part and the clients without an outcome; the counts are those of all.
    """
    past, share = part.past, len(found.part.frame) / len(part.frame)
    if past is None:
        return None
    counts = {"known": len(part.frame) + len(test_part.frame), "open": len(past.open), "refused": len(past.refused)}
    if share < 1:
        past = past.sampled(share, seed)
        test_part = sampled(test_part, round(share * len(test_part.frame)), seed)
    compared = Scored(found.part.frame, found.log_odds, risk)
    tested, open_ones, refused = (
        _scored(frame, pipeline, part.features) for frame in (test_part.frame, past.open, past.refused)
    )
    bias = selection_bias(together(compared, tested), open_ones, refused, part.features, part.catalogue)
    more = {**counts, "unusable": past.unusable, "study": studied.study, "no_study": studied.reason}
    return bias.model_copy(update=more)


def _scored(frame: pd.DataFrame, pipeline: Pipeline, features: Sequence[str]) -> Scored:
    """What a calibrated pipeline gives these applications, and what its model ranks them by."""
    if frame.empty:
        return Scored(frame, np.empty(0), np.empty(0))
    *steps, (name, classifier) = pipeline.steps
    log_odds = Pipeline([*steps, (name, classifier.estimator_)]).decision_function(frame[list(features)])
    return Scored(frame, log_odds, pipeline.predict_proba(frame[list(features)])[:, 1])
