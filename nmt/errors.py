"""The errors that a user of keras-nmt can meet.

Each message says what was expected, what was received and what to do next; the command line prints it on one line and
exits with status 1. Knows nothing of the rest of the package.

    NmtError
    ├── ConfigError      a configuration file or an override is wrong
    ├── DataError        a text file or a prepared corpus cannot be used
    ├── CorruptFileError a checkpoint, shard or model file does not match its checksum
    ├── TrainingError    the training cannot start, continue or converge
    └── ExportError      a SavedModel could not be written, loaded again or run
"""


class NmtError(Exception):
    """Base of every error that keras-nmt raises on purpose."""


class ConfigError(NmtError):
    """A configuration file or an override is wrong; the message lists all faults at once."""


class DataError(NmtError):
    """A text file or a prepared corpus cannot be used."""


class CorruptFileError(NmtError):
    """A checkpoint, shard or model file does not match its checksum."""


class TrainingError(NmtError):
    """The training cannot start, continue or converge."""


class ExportError(NmtError):
    """A SavedModel could not be written, loaded again or run."""
