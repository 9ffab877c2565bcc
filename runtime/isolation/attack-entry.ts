import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadData } from '../wire/protocol.ts';
import { lockdown } from '../worker/lockdown.ts';
import { ATTACKS, attempt, type Bait } from './attacks.ts';

/** What the thread that tries the attacks is born with. */
export type AttackData = Pick<ThreadData, 'isolation'> & { readonly bait: Bait };

const { bait, ...data } = workerData as AttackData;
lockdown(data);
// What an attack waits for may not keep the thread alive.
const alive = setInterval(() => {}, 1000);
for (const attack of ATTACKS) parentPort?.postMessage([attack.name, await attempt(attack, bait)]);
clearInterval(alive);
