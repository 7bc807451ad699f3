"""Events, directory, keys, coverage and explanations under `/v1`."""
