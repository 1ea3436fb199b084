"""The Integration page: what was sent, when, and what became of it, for people.

Plain HTML made on the server from the stores that the API reads; a little JavaScript keeps it up to date.
"""
