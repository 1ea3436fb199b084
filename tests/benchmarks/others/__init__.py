"""The alternatives to Sluice: the same API, as a competent team would write it in a week."""
