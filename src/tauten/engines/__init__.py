"""Engines train the members of a group behind one small protocol; nobody above knows which one it is."""
