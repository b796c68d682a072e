"""The command line: `credit-scoring`."""

from credit_scoring.cli.app import main

__all__ = ["main"]
