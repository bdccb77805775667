# Programs started from a terminal in the browser open on the screen.
if [ -z "${DISPLAY:-}" ] && [ -r /run/berth-xvnc/authority ]; then
  export DISPLAY=:1 XAUTHORITY=/run/berth-xvnc/authority
fi
