"""The home of feature plugins; none yet."""
