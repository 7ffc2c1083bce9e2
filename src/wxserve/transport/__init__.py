"""Sockets: listeners and the connection shell."""
