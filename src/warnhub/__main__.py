"""`python -m warnhub` is `warnhub`."""

from warnhub.cli import main

if __name__ == "__main__":
    main()
