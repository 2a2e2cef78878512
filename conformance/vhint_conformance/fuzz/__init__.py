"""Random traffic, valid and nearly valid, against a live device, shrunk to what breaks it."""
