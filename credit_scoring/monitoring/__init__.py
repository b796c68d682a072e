"""Drift and realised performance, from the decision log. Knows nothing of the service."""
