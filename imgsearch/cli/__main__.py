"""`python -m imgsearch.cli`, for where the console script is not on the PATH."""

from imgsearch.cli import main

main()
