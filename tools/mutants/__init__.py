"""Small faults, made one at a time in a warm process, and the tests that notice them.

python -m tools.mutants                          # everything that is not known yet
python -m tools.mutants access web/cursors.py    # some packages or modules of `odometer`
python -m tools.mutants --changed                # functions that are not as they were measured
python -m tools.mutants engine --sample 10       # ten of a hundred, drawn by --seed
python -m tools.mutants --patience 30            # survivors again, with more seconds of tests each
python -m tools.mutants --survivors engine       # show who is alive, without running anything
python -m tools.mutants --write                  # write docs/mutants.md and measured.json
"""
