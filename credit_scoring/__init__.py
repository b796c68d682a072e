"""Credit decisions for consórcio applications: train on your own history, serve APROVADO or NEGADO."""

import os
import sys

__version__ = "0.1.0"

if sys.platform != "linux":
    sys.exit(
        f"credit-scoring runs on Linux only, and this is {sys.platform}. Run its container image, or a Linux machine."
    )

# A credit service talks to nobody: BentoML reads this when it is about to send usage data, which importing us precedes.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
