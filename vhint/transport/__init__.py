"""How a driver and a device meet."""
