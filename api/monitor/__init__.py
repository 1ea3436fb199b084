"""The operator's overview, for the Integration page and the command line."""
