"""How good a model is, in numbers and on a page. Knows nothing of how it was trained."""
