"""What one would otherwise build or pick: the same API, as a competent team would write it in a week."""
