"""The native engine's library: one C++ source, built for several instruction sets, one of them loaded."""
