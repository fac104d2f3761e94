# Sourced by lab: writes a topology for the workers that run.
# shellcheck shell=bash disable=SC2154

# A number from a GGUF file: after the key come its type (4 is a 32-bit unsigned integer) and the value. The keys that
# count layers and experts stand at the beginning of the file.
gguf_number() {
  local found offset type value
  # grep leaves at the first hit, which head takes ill; hence the first "true".
  found=$({ head -c 16000000 "$1" || true; } | { LC_ALL=C grep -abo -m 1 "[a-z0-9_-]*\.$2" || true; } | head -n 1)
  [[ -n $found ]] || die "$1 does not say its $2; is it the first file of a Mixture-of-Experts model?"
  offset=$((${found%%:*} + $(printf %s "${found#*:}" | wc -c)))
  read -r type value < <(od -An -tu4 -j "$offset" -N 8 "$1")
  [[ $type == 4 ]] || die "$1 gives its $2 in a type this script does not know"
  echo "$value"
}

# share K OF TOTAL: the K-th of OF even shares of TOTAL things, as "first-last".
share() {
  local first=$(($1 * $3 / $2)) last=$((($1 + 1) * $3 / $2 - 1))
  if ((first == last)); then echo "$first"; else echo "$first-$last"; fi
}

running_workers() {
  local host
  for host in $(hosts); do
    if [[ $host != hub ]] && pid_of "$LAB_DIR/$host/worker" >/dev/null; then echo "$host"; fi
  done
}

lab_topology() {
  local model=$here/../models/fairytales-moe-Q4_K_M.gguf stages="" replicas=1 experts=even context="" sequences=""
  while (($# > 0)); do
    [[ -n ${2:-} ]] || wrong_use "$1 wants a value"
    case $1 in
      --model) model=$2 ;;
      --stages) stages=$2 ;;
      --replicas) replicas=$2 ;;
      --experts) experts=$2 ;;
      --context) context=$2 ;;
      --sequences) sequences=$2 ;;
      *) wrong_use "lab topology has no option $1" ;;
    esac
    shift 2
  done
  local -a workers
  mapfile -t workers < <(running_workers)
  ((${#workers[@]} > 0)) || die "no worker runs; start one with: lab worker host1"
  [[ -f $model ]] || die "there is no model $model"
  local text file
  text=$(print_topology)
  file=$(mktemp "$LAB_DIR/topology.XXXXXX")
  echo "$text" >"$file"
  "$(find_shoal)" topology check "$file" >&2 || { rm -f "$file" && die "shoal does not like this topology"; }
  rm -f "$file"
  echo "$text"
}

# check_number OPTION VALUE MOST
check_number() {
  [[ $2 =~ ^[1-9][0-9]{0,3}$ && $2 -le $3 ]] || wrong_use "$1 must be 1 to $3"
}

# Reads the variables of lab_topology.
print_topology() {
  local layers total count=${#workers[@]} number comma
  model=$(realpath "$model")
  layers=$(gguf_number "$model" block_count)
  total=$(gguf_number "$model" expert_count)
  ((count <= total)) || [[ $experts == host ]] ||
    die "$total experts are too few for $count workers; use --experts host"
  stages=${stages:-$((count < layers ? count : layers))}
  check_number --stages "$stages" "$((count < layers ? count : layers))"
  check_number --replicas "$replicas" "$count"
  [[ $experts == even || $experts == host ]] || wrong_use "--experts must be even or host"
  printf '{\n  "model": "%s",\n' "$model"
  [[ -z $context ]] || printf '  "context": %s,\n' "$context"
  [[ -z $sequences ]] || printf '  "sequences": %s,\n' "$sequences"
  printf '  "nodes": {\n'
  for ((number = 0; number < count; number++)); do
    comma=,
    ((number < count - 1)) || comma=
    printf '    "%s": { "address": "%s" }%s\n' "${workers[number]}" "$(net_address "${workers[number]}")" "$comma"
  done
  printf '  },\n  "stages": [\n'
  for ((number = 0; number < stages; number++)); do
    comma=,
    ((number < stages - 1)) || comma=
    printf '    { "layers": "%s", "host": "%s"%s }%s\n' "$(share "$number" "$stages" "$layers")" \
      "${workers[number]}" "$(print_experts)" "$comma"
  done
  printf '  ]\n}\n'
}

# Worker k holds share k, and with replicas the shares after it too.
print_experts() {
  [[ $experts == even ]] || return 0
  local text="" worker list copy
  for ((worker = 0; worker < count; worker++)); do
    list=""
    for ((copy = 0; copy < replicas; copy++)); do
      list+="${list:+,}$(share $(((worker + copy) % count)) "$count" "$total")"
    done
    text+="${text:+, }\"${workers[worker]}\": \"$list\""
  done
  printf ', "experts": { %s }' "$text"
}
