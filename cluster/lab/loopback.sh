# Sourced by lab: hosts as processes on 127.0.0.1, told apart by their ports. No root needed.
# shellcheck shell=bash disable=SC2154

# Workers are reached through relay.py, which listens on a port for each and cuts, limits and delays what it carries.
# File relay.conf is its whole configuration; it writes relay.done when it has taken it over.
# Without python3 there is no relay: workers are reached directly, and cables cannot be touched.

net_needs() { echo "they need setsid (util-linux)"; }
net_possible() { have setsid; }
net_flags() { echo; }
# shellcheck disable=SC2034 # The callers read it.
net_enter() { enter=(env); }

net_listen() { cat "$LAB_DIR/$1/listen"; }
net_address() { cat "$LAB_DIR/$1/address"; }

net_up() {
  local host port
  # Below the ports the kernel hands out itself, and elsewhere for another lab.
  port=$((10000 + $(cksum <<<"$LAB_DIR" | cut -d ' ' -f 1) % 20000))
  for host in $(hosts); do
    next_free_port
    echo "127.0.0.1:$port" >"$LAB_DIR/$host/listen"
    # Clients reach the hub directly, for want of a second machine to be clients on.
    if [[ $host != hub ]] && have python3; then next_free_port; fi
    echo "127.0.0.1:$port" >"$LAB_DIR/$host/address"
  done
  have python3 || { say "no python3, so no relay: cut, heal, slow, fast and delay will not work" && return; }
  write_relay_configuration
  mkdir -p "$LAB_DIR/switch"
  start_and_wait "$LAB_DIR/switch/relay" "relaying" python3 "$here/relay.py" "$LAB_DIR"
}

# Moves port on to the next on which nobody listens.
next_free_port() {
  while port=$((port + 1)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
}

write_relay_configuration() {
  local host
  {
    for host in $(hosts); do
      link_get "$host"
      echo "host $host $(net_address "$host") $(net_listen "$host") $link_cut $link_rate $link_delay"
    done
    sed 's/^/parted /' "$LAB_DIR/parted"
  } >"$LAB_DIR/relay.new"
  mv "$LAB_DIR/relay.new" "$LAB_DIR/relay.conf"
}

# Has the relay take over the state of all cables.
update_relay() {
  local pid tries
  pid=$(pid_of "$LAB_DIR/switch/relay") ||
    unavailable "the relay does not run (it needs python3), so cables stay as they are"
  write_relay_configuration
  kill -HUP "$pid"
  for ((tries = 0; tries < 200; tries++)); do
    if cmp -s "$LAB_DIR/relay.conf" "$LAB_DIR/relay.done"; then return; fi
    sleep 0.02
  done
  die "the relay does not answer; its log is $LAB_DIR/switch/relay.log"
}

net_cut() { update_relay; }
net_heal() { update_relay; }
net_part() { update_relay; }
net_join() { update_relay; }
net_rate() { update_relay; }
net_delay() { update_relay; }
