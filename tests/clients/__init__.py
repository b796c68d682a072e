"""Clients generated from the OpenAPI document, in Python and TypeScript, against the running service."""
