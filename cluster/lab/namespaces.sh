# Sourced by lab: hosts as network namespaces, cables as veth pairs, a switch as a bridge.
# shellcheck shell=bash disable=SC2154

# Every namespace is held by a sleeping process: the switch's has the bridge, a host's has eth0. Nothing of it can be
# seen or met outside, so labs never collide, and a namespace goes with its last process: no crash leaves one behind.
# Without root the switch's namespace lies in a user namespace, in which the user is root.

net_needs() { echo "they need root, or unprivileged user namespaces, and iproute2 and util-linux"; }

user_flags() { if ((UID == 0)); then echo; else echo "-U --preserve-credentials"; fi; }

net_possible() {
  local own="" words="ip link add name a0 type veth peer name b0 && ip link add name br0 type bridge"
  ((UID == 0)) || own=-Ur
  have ip && have tc && have unshare && have nsenter && have setsid || return 1
  # shellcheck disable=SC2086 # No flag is no word.
  unshare $own --net sh -c "$words"
}

net_address() {
  if [[ $1 == hub ]]; then echo 10.77.0.254:7069; else echo "10.77.0.${1#host}:7070"; fi
}
net_listen() { net_address "$1"; }
net_flags() { echo --insecure; }

holder() { pid_of "$LAB_DIR/$1/holder" || die "the network of $1 is gone; 'lab down', then 'lab up' again"; }

# The words that, before a command, run it on a host: enter=(...).
net_enter() {
  local pid
  pid=$(holder "$1")
  # shellcheck disable=SC2206,SC2207 # Flags are words.
  enter=(nsenter -t "$pid" $(user_flags) --net --)
}

# start_holder NAME COMMAND...: waits until the process holds its new namespaces, which is when it sleeps.
start_holder() {
  local base=$LAB_DIR/$1/holder tries pid
  mkdir -p "$LAB_DIR/$1"
  start "$base" "${@:2}" sleep infinity
  for ((tries = 0; tries < 200; tries++)); do
    pid=$(pid_of "$base") || break
    [[ $(cat "/proc/$pid/comm") != sleep ]] || return 0
    sleep 0.02
  done
  cat "$base.log" >&2
  die "no network namespace for $1"
}

net_up() {
  local enter host own=""
  ((UID == 0)) || own=-Ur
  # shellcheck disable=SC2086 # No flag is no word.
  start_holder switch unshare $own --net
  net_enter switch
  local -a switch=("${enter[@]}")
  "${switch[@]}" ip link add name br0 type bridge stp_state 0 forward_delay 0
  "${switch[@]}" ip link set br0 up
  for host in $(hosts); do
    start_holder "$host" "${switch[@]}" unshare --net
    "${switch[@]}" ip link add name "$host" type veth peer name eth0 netns "$(holder "$host")"
    "${switch[@]}" ip link set "$host" master br0 up
    on "$host" ip link set lo up
    on "$host" ip link set eth0 up
    on "$host" ip address add "$(ip_of "$host")/24" dev eth0
  done
}

ip_of() {
  local address
  address=$(net_address "$1")
  echo "${address%:*}"
}

# The switch's end goes down: both ends lose the carrier, packets are lost, nobody is told. Like a pulled cable.
net_cut() { on switch ip link set "$1" down; }
net_heal() { on switch ip link set "$1" up; }

# Two hosts take each other for a network card that does not exist: the switch delivers their packets to nobody.
net_part() {
  on "$1" ip neighbour replace "$(ip_of "$2")" lladdr 02:00:00:00:00:00 dev eth0 nud permanent
  on "$2" ip neighbour replace "$(ip_of "$1")" lladdr 02:00:00:00:00:00 dev eth0 nud permanent
}
net_join() {
  on "$1" ip neighbour del "$(ip_of "$2")" dev eth0 2>/dev/null || true
  on "$2" ip neighbour del "$(ip_of "$1")" dev eth0 2>/dev/null || true
}

# Limits both directions; 0 is no limit. The bucket holds 2 ms of the rate, the queue before it 100 ms.
net_rate() {
  local bytes=$(($2 / 8)) bucket queue
  if (($2 == 0)); then
    on switch tc qdisc del dev "$1" root 2>/dev/null || true
    on "$1" tc qdisc del dev eth0 root 2>/dev/null || true
    return
  fi
  bucket=$((bytes / 500 > 10000 ? bytes / 500 : 10000))
  queue=$((bytes / 10 > 65536 ? bytes / 10 : 65536))
  on switch tc qdisc replace dev "$1" root tbf rate "${2}bit" burst "$bucket" limit "$queue"
  on "$1" tc qdisc replace dev eth0 root tbf rate "${2}bit" burst "$bucket" limit "$queue"
}

# A delayed cable is pulled out of the bridge and spliced: host == HOST ==[delay.py]== HOST-r == HOST-b == bridge.
net_delay() {
  local enter base=$LAB_DIR/$1/delay
  kill_process "$base"
  if [[ $2 == 0 ]]; then
    on switch ip link del "$1-b" 2>/dev/null || true
    on switch ip link set "$1" master br0
    return
  fi
  if ! on switch ip link show "$1-b" >/dev/null 2>&1; then
    on switch ip link add name "$1-r" type veth peer name "$1-b"
    on switch ip link set "$1-b" master br0 up
    on switch ip link set "$1-r" up
    on switch ip link set "$1" nomaster
  fi
  net_enter switch
  start_and_wait "$base" "delaying" "${enter[@]}" python3 "$here/delay.py" "$1" "$1-r" "$2"
}
