// What the kernel knows of a process: memory and processor time.
import { readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // USER_HZ, fixed on Linux

function statusMb(pid, field) {
  const found = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(found[1]) / 1024;
}

export function residentMb(pid) {
  return statusMb(pid, 'VmRSS');
}

export function peakResidentMb(pid) {
  return statusMb(pid, 'VmHWM');
}

function statSeconds(path) {
  const stat = readFileSync(path, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

// Seconds of processor time so far, user and system, of all threads and of the process's children.
export function cpuSeconds(pid) {
  const own = statSeconds(`/proc/${pid}/stat`);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + cpuSeconds(child), own);
}

// The same of its threads of that name.
export function threadSeconds(pid, name) {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  return tasks.filter((path) => readFileSync(`${path}/comm`, 'utf8').trim() === name)
    .reduce((sum, path) => sum + statSeconds(`${path}/stat`), 0);
}
