"""Credit decisions for consórcio applications: train on your own history, serve APROVADO or NEGADO."""

import os

__version__ = "0.1.0"

# A credit service talks to nobody: BentoML reads this when it is about to send usage data, which importing us precedes.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
