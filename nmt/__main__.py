"""`nmt`, which is `python -m nmt`: the command line, with an allocator that suits it."""

from nmt.allocator import start_tuned


def main() -> None:
    """Runs the command line."""
    start_tuned()
    from nmt.cli import main

    main()


if __name__ == "__main__":
    main()
