"""The durable state of one device: one SQLite file in a locked directory."""
