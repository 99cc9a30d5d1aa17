"""The errors that a user of keras-nmt can meet.

Each message says what was expected, what was received and what to do next; the command line prints it on one line and
exits with status 1. Knows nothing of the rest of the package.

    NmtError
    ├── ConfigError      a configuration file or an override is wrong
    ├── DataError        a text file or a prepared corpus cannot be used
    ├── CorruptFileError a checkpoint, shard or model file does not match its checksum
    ├── StorageError     a file could not be written, on a full disk for example
    ├── TrainingError    the training cannot start, continue or converge
    ├── Interrupted      somebody stopped the work; what was done is saved
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


class StorageError(NmtError):
    """A file could not be written, on a full disk for example; what was there before stays."""


class TrainingError(NmtError):
    """The training cannot start, continue or converge."""


class Interrupted(NmtError):
    """Somebody stopped the work with a signal; what was done is saved."""


class ExportError(NmtError):
    """A SavedModel could not be written, loaded again or run."""
