"""What a worker decides by, and a trial of it in a process of its own, before workers that answer are replaced."""

import os
import sys
from pathlib import Path

from credit_scoring.errors import CreditScoringError
from credit_scoring.model.governed import check_valid, governed_by_file
from credit_scoring.model.scorer import Scorer
from credit_scoring.serving.instance import DECIDES, MODEL_VARIABLE
from credit_scoring.settings import ServiceSettings, read_settings


def scorer_in_use(tag: str, folder: Path, policy_file: Path | None) -> Scorer:
    """The scorer in a model's folder, under the policy in the file or its own; raises where it must not decide."""
    scorer = Scorer.load(folder)
    if policy_file:
        return governed_by_file(scorer, policy_file)
    check_valid(scorer, f"The policy of model {tag}")
    return scorer


def main() -> int:
    """Say on standard output that a worker that starts now would decide, and give 0; else why not, and 1."""
    try:
        settings = read_settings(ServiceSettings)
        scorer_in_use(settings.model, Path(os.environ[MODEL_VARIABLE]), settings.policy_file)
    except CreditScoringError as error:
        print(error)
        return 1
    print(DECIDES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
