"""What the engine stores: keys, and what each kind of item holds."""
