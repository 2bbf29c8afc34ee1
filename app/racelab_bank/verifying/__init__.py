"""`racelab-bank verify`: the proof as a tool of its own, for a history file of any system."""
