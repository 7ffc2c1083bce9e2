"""The store room: durable state. The only room that knows SQL or a database driver."""
