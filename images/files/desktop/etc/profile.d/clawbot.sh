# Lets the openclaw command in a terminal talk to the running gateway.
if [ -r /etc/berth/clawbot.env ]; then
  . /etc/berth/clawbot.env
  export OPENCLAW_GATEWAY_TOKEN
fi
