const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** `1.5 h`, `12 s`, `80 ms` */
export function duration(ms: number): string {
  const [unit, size] = units.find(([, size]) => ms >= size) ?? ['ms', 1];
  const amount = ms / size;
  return `${amount < 10 && unit !== 'ms' && unit !== 's' ? amount.toFixed(1) : Math.floor(amount)} ${unit}`;
}

/** How long something short took: `0.02 ms`, `1.3 ms`, `812 ms`, `7 s` */
export function took(ms: number): string {
  if (ms >= 1000) return duration(ms);
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** A time that somebody wrote down, exactly: `24 h`, `1.5 s`, `7 d`, `1234 ms` */
export function exactly(ms: number): string {
  const [unit, size] = units.find(([unit, size]) => {
    const amount = ms / size;
    return (unit === 'd' ? amount >= 2 : amount >= 1) && Number.isInteger(amount * 100);
  }) ?? ['ms', 1];
  return `${ms / size} ${unit}`;
}

/** `12.3 MB` */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** `950`, `12.3k`, `4.5M` */
export function short(count: number): string {
  if (count < 1000) return String(Math.round(count));
  if (count < 1_000_000) return `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** With milliseconds, in the time of the place. */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  const two = (part: number): string => String(part).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
