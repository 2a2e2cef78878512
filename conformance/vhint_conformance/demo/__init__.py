"""The talk's test application as a demonstration: what hinting gives back, in real memory.

`plan` says what is to happen and `run` what was seen, both without I/O; `guest` is what a guest has
to be able to do, `linux_guest` and `simulated_guest` are two; `lane` drives guests on one host,
`perform` all lanes; `display`, `chart`, `summary` and `record` show what came of it.
"""
