"""The system on one machine: the real template, deployed into an AWS emulator on loopback."""
