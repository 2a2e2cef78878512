"""The `vhint` command, one verb a file."""
