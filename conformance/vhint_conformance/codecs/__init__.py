"""What `vhint decode` and `vhint encode` do: hex dumps, streams of messages, tables.

======================  ======================================================================
module                  subject
======================  ======================================================================
hex_text                hex as people and dump programs write it
messages                cutting an input of any length into messages, in bounded memory
show                    a message as a line of JSON or as a table
======================  ======================================================================
"""
