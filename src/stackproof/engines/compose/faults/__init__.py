"""What is wrong between two containers of a run: who carries it out, and who asks for it."""
