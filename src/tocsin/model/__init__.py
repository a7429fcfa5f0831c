"""The nouns every room speaks. In: nothing. Out: frozen, typed values without I/O."""
