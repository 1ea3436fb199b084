"""The client of the store on a real server."""
