"""Work on texts alone: words, synonyms, typos and translations."""
