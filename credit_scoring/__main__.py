"""`python -m credit_scoring`: the command line."""

from credit_scoring.cli.app import main

if __name__ == "__main__":
    main()
