import { statSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';

/** The folder as a shell names it: by the links that led there, which stay the same when they lead elsewhere. */
export function workingFolder(real: string, named: string | undefined): string {
  if (named === undefined || !isAbsolute(named) || named !== normalize(named)) return real;
  try {
    const [one, other] = [statSync(named), statSync(real)];
    return one.dev === other.dev && one.ino === other.ino ? named : real;
  } catch {
    return real;
  }
}
