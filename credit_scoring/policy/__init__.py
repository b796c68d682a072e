"""From a risk to a decision: threshold, costs and rules. Knows nothing of how the risk was found."""
