"""Search for the best target sentence, sampling, and the replay of a given one.

Every search takes `step(token_ids, state) -> (log_probs, attention, state)` and knows no model: `token_ids` are the
last tokens (rows,), `state` is any nest of tensors with a first axis of rows, `log_probs` are (rows, vocabulary) and
`attention` (rows, source_length) or None. What may be chosen is said by rules (`nmt.search.rules`), what is best by a
ranking (`nmt.search.ranking`). All of it is `keras.ops`, so the same code runs in validation, in translation and inside
the SavedModel.
"""

from nmt.search.beam import Breadth, beam_search
from nmt.search.greedy import greedy_search
from nmt.search.hypotheses import MISSING, Hypotheses, Step
from nmt.search.ranking import Ranking
from nmt.search.replay import Replay, replay
from nmt.search.rules import History, Rule
from nmt.search.sampling import sample

__all__ = [
    "MISSING",
    "Breadth",
    "History",
    "Hypotheses",
    "Ranking",
    "Replay",
    "Rule",
    "Step",
    "beam_search",
    "greedy_search",
    "replay",
    "sample",
]
