"""Judging a driver and a device together: a guest is worked, and its memory is looked at."""
