"""How usage is answered from frames, segments and the unsettled tail."""
