"""Benchmarks: serving, each figure beside those of its peers in the same run."""
