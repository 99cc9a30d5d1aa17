"""Run folder to SavedModel: strings in, strings out, with tokenization (TF Text) and the whole search inside.

    graph.py       what the SavedModel computes: its signatures
    text.py        strings to token ids and back, in the graph
    token_rows.py  rows of token ids: their ends and padding
    alignment.py   attention to alignments of words, in the graph
    card.py        what people read about it
    workspace.py   the folder that an export is written into, and its version number
    exporter.py    written aside, flushed, checked in a second process, renamed to the next version number

Imports TensorFlow, and runs on Keras' TensorFlow backend alone.
"""

from nmt.export.exporter import HARD_LINES, export, write
from nmt.export.graph import StringTranslator, TokenTranslator

__all__ = ["HARD_LINES", "StringTranslator", "TokenTranslator", "export", "write"]
