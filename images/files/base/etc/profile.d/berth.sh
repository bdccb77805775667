# A quiet, informative prompt for people who log in.
if [ -n "${BASH_VERSION:-}" ] && [ -n "${PS1:-}" ]; then
  PS1='\[\e[38;5;39m\]\u\[\e[0m\]@\[\e[38;5;78m\]\h\[\e[0m\]:\[\e[38;5;244m\]\w\[\e[0m\]\$ '
fi
