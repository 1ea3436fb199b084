"""The connection to Redis: clients, scripts, memory, durability."""
