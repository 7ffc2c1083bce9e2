"""The public test kit: an in-memory server, virtual time, faults."""
