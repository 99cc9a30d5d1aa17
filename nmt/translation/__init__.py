"""From lines to translations: reading, search with one model or several, and what is made of what was found.

lines.py            lines, translations, and the interface of what makes one of the other; no model
translator.py       translation with models in memory, batch by batch
searcher.py         models and search together, as graphs; export wraps them, too
ensemble.py fusion.py            several translation models; a language model's vote
scoring.py          given translations
alignment.py copying.py          words that attend to each other; unknown words
banned_words.py minimum_bayes_risk.py    words that must not occur; the translation that is most like the others
"""
