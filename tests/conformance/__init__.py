"""The distribution specification as cases over a real socket; coverage.md says which sentence is held where."""
