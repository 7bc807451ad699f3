"""How usage gets from the log into frames: fold, settle, seal, rebuild, retire."""
