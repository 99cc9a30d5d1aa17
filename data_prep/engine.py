"""Where the stages run: DuckDB inside this process, reached through Ibis.

The stages are Ibis expressions and the data between them Parquet files, so another backend of Ibis (Spark, say) needs
one more class like `DuckDBEngine` and nothing else. Knows nothing of what the expressions compute.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from nmt.errors import DataError


class DuckDBEngine:
    """Runs Ibis expressions over Parquet files; larger than memory, it spills into `folder`.

    Args:
        folder: where temporary files may lie; nothing is written anywhere else.
    """

    def __init__(self, folder: Path) -> None:
        self._connection = ibis.duckdb.connect(
            ":memory:", temp_directory=str(folder), autoinstall_known_extensions=False, allow_community_extensions=False
        )

    def __enter__(self) -> DuckDBEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.disconnect()

    def read(self, path: Path) -> ir.Table:
        """A Parquet file as a table to build expressions on."""
        with _worded():
            return self._connection.read_parquet(glob.escape(str(path)))

    def write(self, table: ir.Table, path: Path) -> None:
        """Computes a table into a Parquet file; an ordered table keeps its order."""
        with _worded():
            self._connection.to_parquet(table, path)

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """Computes a small table."""
        with _worded():
            return list(self._connection.to_pyarrow(table).to_pylist())


@contextmanager
def _worded() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"DuckDB cannot run the stages ({first_line}); free memory or disk space") from None
