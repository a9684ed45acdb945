"""The attached engine: a stack that somebody else has started, reached by its addresses alone."""
