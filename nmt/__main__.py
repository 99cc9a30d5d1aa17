"""`nmt`, which is `python -m nmt`: the command line, with an allocator that suits it."""

from nmt.allocator import start_tuned


def program() -> None:
    """The whole program; replaces the process that it is called in (see `start_tuned`)."""
    start_tuned()
    from nmt import cli

    cli.main()


if __name__ == "__main__":
    program()
