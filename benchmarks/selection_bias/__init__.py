"""What the study at a past cut-off says, beside what selection really cost."""
