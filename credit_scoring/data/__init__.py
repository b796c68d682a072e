"""From foreign files to a checked data set. Knows nothing of models."""
