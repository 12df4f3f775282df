"""`python -m yggdrasil` is the `yggdrasil` command."""

from yggdrasil.cli import main

if __name__ == "__main__":
    main()
