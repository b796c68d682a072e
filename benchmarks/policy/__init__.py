"""What the rules of a policy cost: checked before they are used, and at the wire."""
