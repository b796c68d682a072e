"""A trial of what a worker decides by, in a process of its own, before workers that answer are replaced."""

import os
import sys
from pathlib import Path

from credit_scoring.errors import CreditScoringError
from credit_scoring.model.governed import scorer_in_use
from credit_scoring.serving.instance import DECIDES, MODEL_VARIABLE
from credit_scoring.settings import ServiceSettings, read_settings


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
