"""``wx``, a chat client for the terminal.

``model`` knows what is shown and does what is asked, on the SDK alone; ``views`` draw it with
textual and take the keys; the modules here are the command line, and what both need.
"""
