import { within, type Clock } from '../base/clock.ts';
import { HoldfastError } from '../base/errors.ts';
import type { OsThread } from './os-thread.ts';
import { threadHung } from './thread-errors.ts';

/** Milliseconds that beginning and ending one may take each: a large one is written in a few hundred. */
const GRACE_MS = 10_000;

/** What a thread does in so many milliseconds, as Chrome's and Node's tools read it. */
export async function cpuProfile(
  { startProfile }: Pick<OsThread, 'startProfile'>,
  { name, ms, clock }: { readonly name: string; readonly ms: number; readonly clock: Clock },
): Promise<object> {
  if (startProfile === undefined)
    throw new HoldfastError(
      'OPTION_INVALID',
      `this Node (${process.version}) takes no CPU profile of a thread; 24.8 and later do`,
    );
  const late = (): Error => threadHung(name, GRACE_MS, 'gave no CPU profile');
  const end = await within(clock, GRACE_MS, startProfile(), late);
  await new Promise<void>((resolve) => void clock.setTimeout(resolve, ms));
  return JSON.parse(await within(clock, GRACE_MS, end(), late)) as object;
}
