# Servers that deploy/up starts and deploy/down ends; sourced by both. Needs $state, a directory.
#
# $state/pids/NAME holds a server's pid, its start time and the signal that ends it in peace. A pid
# counts only with its start time, so one that has since gone to another process is never signalled.

# Field 22 of /proc/PID/stat, after the name in parentheses: the start time. Empty when there is
# no such process.
process_start_time() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  read -ra stat <<<"${stat##*) }"
  echo "${stat[19]}"
}

process_is_zombie() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  [[ $stat == *') Z '* ]]
}

# process_record NAME PID SIGNAL
process_record() {
  mkdir -p "$state/pids"
  echo "$2 $(process_start_time "$2") $3" >"$state/pids/$1"
}

# Sets $pid and $end_signal of a recorded process; fails when there is none, nor its zombie.
process_find() {
  local started
  [[ -s $state/pids/$1 ]] || return 1
  read -r pid started end_signal <"$state/pids/$1" || return 1
  [[ -n $started && $(process_start_time "$pid") == "$started" ]]
}

process_runs() {
  process_find "$1" && ! process_is_zombie "$pid"
}

# process_await_end NAME TIMEOUT_S: fails when it still runs then.
process_await_end() {
  local waited
  for ((waited = 0; waited < $2 * 20; waited++)); do
    process_runs "$1" || return 0
    sleep 0.05
  done
  ! process_runs "$1"
}

# process_end NAME TIMEOUT_S: ends it in peace, by force after the timeout. No-op when it is gone.
process_end() {
  local pid end_signal waited
  if process_runs "$1"; then
    kill -s "$end_signal" "$pid" 2>/dev/null || true
    if ! process_await_end "$1" "$2"; then
      echo "$1 (pid $pid) did not end within $2 s of SIG$end_signal: killing it" >&2
      kill -s KILL "$pid" 2>/dev/null || true
      process_await_end "$1" 10 || echo "$1 (pid $pid) cannot be killed" >&2
    fi
  fi
  # PostgreSQL takes the zombie of its predecessor for a running server: let it be reaped.
  for ((waited = 0; waited < 100; waited++)); do
    process_find "$1" || break
    sleep 0.05
  done
  rm -f "$state/pids/$1"
}

# Consumers before what they consume from.
processes_end_all() {
  process_end traffic 5
  process_end walcast 20
  process_end nats 20
  process_end postgres 60
}
