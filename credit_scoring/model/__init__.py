"""All that lies in a stored model and what scores with it. Knows nothing of serving, the decision log or training."""
