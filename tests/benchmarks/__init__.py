"""Compare the speed of Sluice with alternatives, in one run on one machine: ``make bench``."""
