"""README and docs: their generated tables, their links, their commands, their site.  ``make docs``."""
