"""`python -m tauten.cli`."""

from tauten.cli import main

main()
