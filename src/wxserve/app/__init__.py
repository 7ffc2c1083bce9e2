"""The composition root: command line, configuration, nursery tree."""
