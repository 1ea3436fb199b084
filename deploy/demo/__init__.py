"""The demo: start everything, send a catalogue, compare it with a model."""
