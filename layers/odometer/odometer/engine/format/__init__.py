"""What the engine stores: keys, columns, and the items that decide."""
