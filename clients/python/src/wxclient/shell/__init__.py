"""The anyio half: sockets, threads and tasks around the core and the state file."""
