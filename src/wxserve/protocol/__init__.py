"""The protocol room: bytes to frames and frames to bytes, and the legal order of frames.

Sans-I/O and role-symmetric: the server, the client SDK, the load harness and the fuzzers use the
same code. Nothing here knows of sockets, clocks, tasks or logs.
"""
