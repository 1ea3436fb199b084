"""The synchronous Items API and the nested item groups of V1."""
