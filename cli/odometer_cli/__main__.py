"""`python -m odometer_cli`, where the script `odometer` is not on the path."""

from odometer_cli import app

if __name__ == "__main__":
    app(prog_name="odometer")
