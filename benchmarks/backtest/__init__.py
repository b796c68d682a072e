"""A policy against a log of many decisions, timed."""
