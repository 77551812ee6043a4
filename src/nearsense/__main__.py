"""`python -m nearsense` is the command `nearsense`."""

from nearsense.cli import main

if __name__ == "__main__":
    main()
