"""The vocabulary: the application a client sends, the decision it gets, and what must never be asked."""
