# Sourced by lab: making and removing the lab, and the state of its cables.
# shellcheck shell=bash disable=SC2154

# Each host hangs on one cable: file HOST/link holds "CUT RATE DELAY": 0 or 1; bits a second or 0 for no limit;
# milliseconds, each way. The file parted holds a line "HOST OTHER" for every two hosts that "lab cut" parted.
# How a cable is really cut, limited or delayed is in namespaces.sh and loopback.sh: net_cut, net_rate, net_delay...

link_get() {
  read -r link_cut link_rate link_delay <"$LAB_DIR/$1/link"
}

link_put() { echo "$2 $3 $4" >"$LAB_DIR/$1/link"; }

# Bits a second of "1gbit", "100mbit", "64kbit".
bits_of() {
  local text=${1,,} unit
  [[ $text =~ ^([0-9]{1,9})([kmg]?)bit$ ]] || wrong_use "'$1' is no bandwidth; write 1gbit, 100mbit or 64kbit"
  case ${BASH_REMATCH[2]} in k) unit=1000 ;; m) unit=1000000 ;; g) unit=1000000000 ;; *) unit=1 ;; esac
  ((10#${BASH_REMATCH[1]} > 0)) || wrong_use "a bandwidth of 0 is a cut; use 'lab cut'"
  echo $((10#${BASH_REMATCH[1]} * unit))
}

# Milliseconds of "2", "2ms" or "0.5ms".
milliseconds_of() {
  local text=${1%ms}
  [[ $text =~ ^[0-9]{1,5}(\.[0-9]{1,3})?$ ]] || wrong_use "'$1' is no delay; write milliseconds, such as 2 or 0.5"
  echo "$text"
}

is_zero() { [[ $1 =~ ^[0.]+$ ]]; }

lab_up() {
  local count="" bandwidth=0 latency=0 wanted=""
  while (($# > 0)); do
    case $1 in
      --bandwidth) bandwidth=$(bits_of "${2:-}") ;;
      --latency) latency=$(milliseconds_of "${2:-}") ;;
      --mode) wanted=${2:-} ;;
      *) count+=$1 && shift && continue ;;
    esac
    (($# > 1)) || wrong_use "$1 wants a value"
    shift 2
  done
  [[ $count =~ ^[1-9][0-9]{0,2}$ && $count -le 200 ]] || wrong_use "how many hosts? 1 to 200"
  claim_folder
  # Whatever ends this command half-way, Ctrl-C included, takes along what was made so far.
  trap 'trap - EXIT; say "removing what was made"; lab_down' EXIT
  trap 'exit 130' INT TERM HUP
  choose_mode "$wanted"
  make_hosts "$count" "$bandwidth" "$latency"
  trap - EXIT INT TERM HUP
  say "$count hosts and the hub, by $mode, in $LAB_DIR"
}

# The folder must be new, empty or a lab's, because "lab down" removes it.
claim_folder() {
  [[ ! -f $LAB_DIR/shoal-lab ]] ||
    die "there is a lab in $LAB_DIR already; 'lab down' removes it, LAB_DIR=... names another"
  [[ -z $(marked_processes) ]] || die "processes of an earlier lab in $LAB_DIR still run; 'lab down' ends them"
  [[ ! -e $LAB_DIR || -d $LAB_DIR && -z $(ls -A "$LAB_DIR") ]] || die "$LAB_DIR exists and is not empty"
  (umask 077 && mkdir -p "$LAB_DIR")
}

choose_mode() {
  case $1 in
    namespaces | loopback) mode=$1 ;;
    "") mode=loopback
      if (source "$here/namespaces.sh" && net_possible 2>/dev/null); then mode=namespaces; fi ;;
    *) wrong_use "'$1' is no mode: namespaces or loopback" ;;
  esac
  echo "$mode" >"$LAB_DIR/shoal-lab"
  # shellcheck source=/dev/null
  source "$here/$mode.sh"
  net_possible || unavailable "$mode are not possible here: $(net_needs)"
}

make_hosts() {
  local count=$1 bandwidth=$2 latency=$3 host number
  echo "$bandwidth" >"$LAB_DIR/bandwidth"
  : >"$LAB_DIR/parted"
  echo hub >"$LAB_DIR/hosts"
  for ((number = 1; number <= count; number++)); do echo "host$number" >>"$LAB_DIR/hosts"; done
  for host in $(hosts); do
    mkdir -p "$LAB_DIR/$host"
    link_put "$host" 0 0 0
  done
  net_up
  for host in $(hosts); do
    if ((bandwidth > 0)); then set_rate "$host" "$bandwidth"; fi
    # The hub's own cable is not delayed, so that MS is the way from the hub to a host.
    if [[ $host != hub ]] && ! is_zero "$latency"; then lab_delay "$host" "$latency"; fi
  done
}

# Ends and removes everything, also after a crash, also twice.
lab_down() {
  local tries pids pid
  # More than once, because a process may start another while the list is made.
  for ((tries = 0; tries < 20; tries++)); do
    pids=$(marked_processes)
    [[ -n $pids ]] || break
    # shellcheck disable=SC2086 # One word a process.
    kill -KILL $pids 2>/dev/null || true
    for pid in $pids; do wait_for_end "$pid"; done
  done
  [[ -z $pids ]] || die "these processes do not end: $pids"
  # Network namespaces, cables and bridge have gone with the last process inside them.
  if [[ -f $LAB_DIR/shoal-lab ]]; then rm -rf "$LAB_DIR"; fi
}

lab_cut() {
  need_host "${1:-}"
  if (($# > 1)); then
    need_host "$2"
    [[ $1 != "$2" ]] || wrong_use "a host cannot be parted from itself"
    lab_heal "$1" "$2"
    echo "$1 $2" >>"$LAB_DIR/parted"
    net_part "$1" "$2"
    return
  fi
  link_get "$1"
  link_put "$1" 1 "$link_rate" "$link_delay"
  net_cut "$1"
}

lab_heal() {
  need_host "${1:-}"
  if (($# > 1)); then
    need_host "$2"
    { grep -vxF -e "$1 $2" -e "$2 $1" "$LAB_DIR/parted" || true; } >"$LAB_DIR/parted.new"
    mv "$LAB_DIR/parted.new" "$LAB_DIR/parted"
    net_join "$1" "$2"
    return
  fi
  link_get "$1"
  link_put "$1" 0 "$link_rate" "$link_delay"
  net_heal "$1"
}

lab_slow() {
  need_host "${1:-}"
  local bits
  bits=$(bits_of "${2:-}")
  set_rate "$1" "$bits"
}

lab_fast() {
  need_host "${1:-}"
  set_rate "$1" "$(<"$LAB_DIR/bandwidth")"
}

set_rate() {
  link_get "$1"
  link_put "$1" "$link_cut" "$2" "$link_delay"
  net_rate "$1" "$2"
}

lab_delay() {
  need_host "${1:-}"
  local delay
  delay=$(milliseconds_of "${2:-}")
  is_zero "$delay" && delay=0
  have python3 || unavailable "delays need python3"
  link_get "$1"
  link_put "$1" "$link_cut" "$link_rate" "$delay"
  net_delay "$1" "$delay"
}

lab_status() {
  local host state pid
  echo "$mode in $LAB_DIR"
  printf '%-8s  %-21s  %-11s  %-26s  %s\n' host address process state cable
  for host in $(hosts); do
    state=-
    if [[ -f $LAB_DIR/$host/command ]]; then
      state=ended
      if pid=$(pid_of "$LAB_DIR/$host/$(process_of "$host")"); then
        state="runs as $pid"
        [[ $(process_facts "$pid") != T* ]] || state="stopped, $pid"
      fi
    fi
    printf '%-8s  %-21s  %-11s  %-26s  %s\n' "$host" "$(net_address "$host")" "$(process_of "$host")" "$state" \
      "$(describe_link "$host")"
  done
  sed 's/\(.*\) \(.*\)/\1 and \2 are parted/' "$LAB_DIR/parted"
}

describe_link() {
  link_get "$1"
  local text=plugged
  ((link_cut == 0)) || text=CUT
  ((link_rate == 0)) || text+=", $((link_rate / 1000)) kbit/s"
  is_zero "$link_delay" || text+=", $link_delay ms"
  echo "$text"
}
