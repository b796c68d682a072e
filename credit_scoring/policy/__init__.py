"""From a risk to a decision: threshold, costs and limits. Knows nothing of how the risk was found."""
