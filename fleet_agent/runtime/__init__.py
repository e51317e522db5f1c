"""Container runtimes behind one contract."""
