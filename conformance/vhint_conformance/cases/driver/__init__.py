"""Cases that judge a driver."""
