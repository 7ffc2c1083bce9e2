"""The router room: who gets what. Sessions, delivery, policy, admission, bus; no sockets, no SQL."""
