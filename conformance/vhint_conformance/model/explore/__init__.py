"""Bounded exhaustive exploration: every interleaving within stated bounds, or a shortest failure.

`layout` packs a state into bits, `rules` says what a step is, `visited` remembers states,
`search` explores, `liveness` asks whether every run comes to rest, and `systems` holds the models.
A verdict is *proved within its bounds*, *refuted* with a shortest counterexample, or
*undetermined*; the last is never a pass.
"""
