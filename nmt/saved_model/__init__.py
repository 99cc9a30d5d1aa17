"""A SavedModel that `nmt export` wrote: what it holds, whether it is whole, and translation with it.

    saved_models/NAME/VERSION/
      saved_model.pb variables/                     the graph, with tokenization and search inside, and the weights
      assets.extra/                                 SavedModel loaders leave this folder alone:
        tf_serving_warmup_requests                  what TensorFlow Serving runs before it takes the first request
        keras_nmt.json                              what it was made from, and how it searches
        config.json                                 the run's resolved configuration, with this search
        samples.json                                lines, and what the run translates them to
        README.md                                   the model card
        SHA256SUMS                                  of every other file: `sha256sum --check assets.extra/SHA256SUMS`

Knows no run folder, and nothing of how a SavedModel is made. Imports TensorFlow.
"""

from nmt.saved_model.info import ExportInfo, read_info, version_folder, versions_in
from nmt.saved_model.ops import load_ops
from nmt.saved_model.translator import SavedModelTranslator, load_saved_model

__all__ = [
    "ExportInfo",
    "SavedModelTranslator",
    "load_ops",
    "load_saved_model",
    "read_info",
    "version_folder",
    "versions_in",
]
