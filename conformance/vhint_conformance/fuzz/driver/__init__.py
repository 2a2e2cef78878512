"""Random traffic for drivers: a hostile device that Hypothesis draws, and a guest that works."""
