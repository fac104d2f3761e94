# Sourced by lab: workers, the coordinator and commands on the hosts.
# shellcheck shell=bash disable=SC2154

lab_worker() {
  need_worker_host "${1:-}"
  local host=$1 shoal cores threads
  shift
  shoal=$(find_shoal)
  # The hosts share this machine's cores; each would take all of them.
  cores=$(getconf _NPROCESSORS_ONLN)
  threads=$((cores / ($(hosts | wc -l) - 1)))
  # shellcheck disable=SC2046 # Flags are words.
  run_process "$host" "$shoal" worker --listen "$(net_listen "$host")" --name "$host" $(net_flags) \
    --threads "$((threads > 0 ? threads : 1))" --store "$LAB_DIR/$host/store" "$@"
}

lab_serve() {
  [[ -f ${1:-} ]] || wrong_use "there is no topology file '${1:-}'; 'lab topology > FILE' writes one"
  local file shoal
  local -a state=()
  file=$(realpath "$1")
  shift
  shoal=$(find_shoal)
  # A shoal that cannot keep jobs has no such option.
  if "$shoal" help serve | grep -q -e '--state'; then state=(--state "$LAB_DIR/hub/state"); fi
  # shellcheck disable=SC2046 # Flags are words.
  run_process hub "$shoal" serve --topology "$file" --listen "$(net_listen hub)" $(net_flags) \
    --store "$LAB_DIR/hub/store" "${state[@]}" "$@"
}

# Starts a host's process and keeps its command for "lab restart".
run_process() {
  local host=$1 base enter
  shift
  base=$LAB_DIR/$host/$(process_of "$host")
  ! pid_of "$base" >/dev/null || die "$host runs its $(process_of "$host") already; 'lab kill $host' ends it"
  printf '%s\0' "$@" >"$LAB_DIR/$host/command"
  net_enter "$host"
  start_and_wait "$base" "listening on" "${enter[@]}" "$@"
  net_address "$host"
}

lab_restart() {
  need_host "${1:-}"
  [[ -f $LAB_DIR/$1/command ]] || die "nothing was started on $1 yet"
  local -a words
  mapfile -d '' -t words <"$LAB_DIR/$1/command"
  kill_process "$LAB_DIR/$1/$(process_of "$1")"
  run_process "$1" "${words[@]}"
}

lab_signal() {
  need_host "${2:-}"
  local pid
  pid=$(lab_pid "$2")
  # Whoever kills wants it dead when this returns.
  if [[ $1 == KILL ]]; then kill_process "$LAB_DIR/$2/$(process_of "$2")"; else kill "-$1" "$pid"; fi
}

lab_pid() {
  need_host "${1:-}"
  pid_of "$LAB_DIR/$1/$(process_of "$1")" || die "no $(process_of "$1") runs on $1"
}

lab_address() {
  need_host "${1:-}"
  net_address "$1"
}

lab_logs() {
  need_host "${1:-}"
  local log
  log=$LAB_DIR/$1/$(process_of "$1").log
  [[ -f $log ]] || die "nothing was started on $1 yet"
  if [[ ${2:-} == -f ]]; then tail -n +1 -f "$log"; else cat "$log"; fi
}

lab_run() {
  need_host "${1:-}"
  (($# > 1)) || wrong_use "which command?"
  on "$@"
}

# Clients on the hub talk to its coordinator unless they name one.
lab_shoal() {
  local shoal word
  local -a coordinator=()
  shoal=$(find_shoal)
  case ${1:-} in
    generate | submit | jobs | attach | cancel) coordinator=(--coordinator "$(net_address hub)") ;;
    topology) [[ ${2:-} != show && ${2:-} != plan ]] || coordinator=(--coordinator "$(net_address hub)") ;;
  esac
  for word in "$@"; do
    [[ $word != --coordinator* && $word != --help && $word != -h ]] || coordinator=()
  done
  on hub "$shoal" "$@" "${coordinator[@]}"
}
