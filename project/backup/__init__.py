"""The whole database as one file, and a file as the whole database."""
