"""Text as tokens and numbers: pure work on words, before any network."""
