# Sourced by lab: messages, the lab's folder, background processes.
# shellcheck shell=bash disable=SC2154

# The folder of this lab. Everything the lab knows is in it:
#   shoal-lab      how it was made: namespaces or loopback; also the sign that the folder is a lab's
#   hosts          the names of the hosts, hub first, one a line
#   bandwidth      bits a second of a cable, 0 for no limit
#   parted         see links.sh
#   HOST/          one folder a host: the state of its cable, NAME.pid and NAME.log of each of its processes, the
#                  command to start again, the shard store
LAB_DIR=${LAB_DIR:-${XDG_RUNTIME_DIR:-/tmp}/shoal-lab-$UID}
LAB_DIR=$(realpath -m -- "$LAB_DIR")

say() { printf 'lab: %s\n' "$*" >&2; }

# Exit codes as shoal's own: 64 wrong use, 69 something is not available, 1 the rest.
die() { say "$*" && exit 1; }
wrong_use() { say "$*; 'lab help' lists the commands" && exit 64; }
unavailable() { say "$*" && exit 69; }

have() { command -v "$1" >/dev/null; }

# on HOST COMMAND...: runs it there and waits for it. It is marked like those of "start": it keeps its namespace alive.
on() {
  local enter
  net_enter "$1"
  SHOAL_LAB=$LAB_DIR "${enter[@]}" "${@:2}"
}

# Finds the lab made by "lab up" and loads the half of the code that fits how it was made.
open_lab() {
  [[ -f $LAB_DIR/shoal-lab ]] || die "there is no lab in $LAB_DIR; make one with: lab up 3"
  mode=$(<"$LAB_DIR/shoal-lab")
  # shellcheck source=/dev/null
  source "$here/$mode.sh"
}

hosts() { cat "$LAB_DIR/hosts"; }

need_host() {
  [[ -n ${1:-} ]] || wrong_use "which host?"
  grep -qxF -- "$1" "$LAB_DIR/hosts" || wrong_use "there is no host '$1' in this lab: $(hosts | tr '\n' ' ')"
}

need_worker_host() {
  need_host "${1:-}"
  [[ $1 != hub ]] || wrong_use "the hub is for the coordinator; name another host"
}

# The coordinator is the hub's process, a worker that of any other host.
process_of() { if [[ $1 == hub ]]; then echo coordinator; else echo worker; fi; }

# "STATE START" of a process: a letter, and when it started, which tells it from a later one with the same number.
process_facts() {
  local line
  line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  line=${line##*) }
  local -a fields
  read -ra fields <<<"$line"
  echo "${fields[0]} ${fields[19]}"
}

# Prints the number of a process that "start" started, if it still runs.
pid_of() {
  local pid started state start
  read -r pid started 2>/dev/null <"$1.pid" || return 1
  read -r state start < <(process_facts "$pid") || return 1
  [[ $start == "$started" && $state != Z && $state != X ]] || return 1
  echo "$pid"
}

# start BASE COMMAND...: runs it in the background, in a session of its own, with BASE.log and BASE.pid. The variable
# SHOAL_LAB marks it and all its children, so that "lab down" finds them whatever became of the files.
start() {
  local base=$1 pid facts
  shift
  SHOAL_LAB=$LAB_DIR setsid "$@" >>"$base.log" 2>&1 </dev/null &
  pid=$!
  facts=$(process_facts "$pid") || facts="X 0"
  echo "$pid ${facts#* }" >"$base.pid"
  disown "$pid" 2>/dev/null || true
}

# start_and_wait BASE TEXT COMMAND...: like start, and waits until TEXT stands in the log.
start_and_wait() {
  local base=$1 text=$2 before=0 tries
  shift 2
  [[ ! -f $base.log ]] || before=$(wc -c <"$base.log")
  start "$base" "$@"
  for ((tries = 0; tries < 400; tries++)); do
    if tail -c "+$((before + 1))" "$base.log" | grep -qF -- "$text"; then return; fi
    pid_of "$base" >/dev/null || break
    sleep 0.05
  done
  tail -c "+$((before + 1))" "$base.log" | tail -n 5 >&2
  kill_process "$base"
  die "$(basename "$base") on $(basename "$(dirname "$base")") did not start; its log is $base.log"
}

# Ends a process and waits until it is gone.
kill_process() {
  local pid
  pid=$(pid_of "$1") || return 0
  kill -KILL "$pid" 2>/dev/null || true
  while pid_of "$1" >/dev/null; do sleep 0.01; done
}

# Waits, for 5 seconds at most, until a killed process has let go of its sockets and namespaces.
wait_for_end() {
  local facts tries
  for ((tries = 0; tries < 250; tries++)); do
    facts=$(process_facts "$1") || return 0
    [[ $facts != Z* && $facts != X* ]] || return 0
    sleep 0.02
  done
}

# Every process that carries this lab's mark.
marked_processes() {
  { grep -lzxF -- "SHOAL_LAB=$LAB_DIR" /proc/[0-9]*/environ 2>/dev/null || true; } | cut -d / -f 3
}

# The program: $SHOAL, or the one built in this repository, or the one in PATH.
find_shoal() {
  local built=$here/../../.build/release/shoal
  if [[ -n ${SHOAL:-} ]]; then
    [[ -x $SHOAL ]] || die "SHOAL names $SHOAL, which cannot be run"
    realpath "$SHOAL"
  elif [[ -x $built ]]; then
    realpath "$built"
  else
    command -v shoal || die "there is no shoal program: run 'swift build -c release', or name one with SHOAL=..."
  fi
}
