"""Models of drivers and devices, and the machines that look for interleavings that break them."""
