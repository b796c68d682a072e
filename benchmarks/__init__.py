"""Figures about the project, each printed by a command: quality, serving."""
