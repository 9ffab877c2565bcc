/** Node opens its inspector on SIGUSR1 as long as nobody listens to that signal. */
const SIGNAL = 'SIGUSR1';

let users = 0;

function ignore(): void {}

/**
 * Keeps SIGUSR1 from opening the inspector of this process, through which whoever has the network could read all of
 * it: for as long as a runtime with a closed pool runs. Returns how to give it up, once.
 *
 * The listener of a user is left alone, and ours is taken away when there is another. Otherwise it stays: without
 * any, SIGUSR1 would not open the inspector again but end the process (tried with 22.23, 24.21 and 26.10).
 */
export function closeDebugSignal(): () => void {
  if (process.platform === 'win32') return () => {};
  users += 1;
  if (!process.listeners(SIGNAL).includes(ignore)) process.on(SIGNAL, ignore);
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    users -= 1;
    if (users === 0 && process.listenerCount(SIGNAL) > 1) process.off(SIGNAL, ignore);
  };
}
