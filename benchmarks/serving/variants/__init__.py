"""The servers that are compared, each as its own docs would have it written."""
