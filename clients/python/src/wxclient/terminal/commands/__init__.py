"""What is typed after a slash."""
