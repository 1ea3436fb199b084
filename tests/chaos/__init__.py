"""The stack under faults."""

#: Environment variable that names the file with the milliseconds by which the workers' clocks are wrong.
CLOCK_FILE = "CHAOS_CLOCK_FILE"
