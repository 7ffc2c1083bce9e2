"""The load harness: measures a running server from the outside, and judges what it delivers."""
