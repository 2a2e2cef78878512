"""Cases that judge a device: the suite is the driver."""
