"""A self-hosted super-app server."""

__version__ = "0.1.0"
