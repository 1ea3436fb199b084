"""Sinks: where catalogs are delivered to, their mappings, and the databases and search engines behind them."""
