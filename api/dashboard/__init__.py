"""The Integration page: server-rendered HTML about tasks, their payloads and their outcomes."""
