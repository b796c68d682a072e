"""From a data set to a scorer: candidates, search, comparison, selection. Knows nothing of serving."""
