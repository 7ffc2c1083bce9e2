"""The protocol core: what a client does, without sockets, tasks, threads, clocks or SQL."""
