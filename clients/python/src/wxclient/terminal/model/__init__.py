"""What the terminal client knows and does, without a terminal."""
