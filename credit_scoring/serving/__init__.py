"""The HTTP service: from a request to a stored decision. Knows nothing of training, evaluation, data files or Spark."""
