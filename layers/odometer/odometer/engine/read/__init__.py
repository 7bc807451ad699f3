"""How usage is read from frames, segments and unsettled folds."""
