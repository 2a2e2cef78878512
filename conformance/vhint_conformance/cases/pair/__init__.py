"""Cases about a driver and a device together, seen from outside."""
