"""The review desk at /mesa: pages for the people who look, decide and sign. It knows nothing of training or files."""
