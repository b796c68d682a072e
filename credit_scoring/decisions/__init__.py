"""The record: every decision, chained and stored, and what became known of it later. Knows nothing of HTTP."""
