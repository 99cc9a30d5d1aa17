"""Raw text files to a prepared corpus; knows no model and no Keras."""
