"""How fast: Sluice beside what one would otherwise build or pick, in one run on one machine.  ``make bench``."""
