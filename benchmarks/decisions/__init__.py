"""What the decision log takes when it is large."""
