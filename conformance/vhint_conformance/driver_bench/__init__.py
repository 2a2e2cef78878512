"""What a driver case runs on: a driver connected to the judging device, and monitors.

`opening.open_driver_bench` begins it, `bench.DriverBench` is what a case is given.
"""
