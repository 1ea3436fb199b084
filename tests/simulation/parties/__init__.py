"""Those who take part in a history, besides workers."""
