"""What is drawn, with textual; nothing else of the project imports it."""
