"""How fast batches are decided."""
