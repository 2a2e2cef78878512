"""The vectors: their tables, the generator that makes JSON of them, the linter and the replayer.

What stands in the files, and how to read them in any language, is in the README beside them
(`vhint vectors path`).  Here, `tables` has an entry for each file; `message` makes bytes without
the codecs; `render` makes JSON; `agree` and `replay` hold the result against the project's codecs
and monitors; `generate` writes it; `lint` judges the files as they are.
"""
