import type { LinkPort } from '../wire/link.ts';

/** A port that counts, so that both sides can tell whether anything is under way between them. */
export interface CountedPort extends LinkPort {
  readonly sent: number;
  readonly received: number;
  /** Takes a message away that is being sent. */
  intercept: ((message: unknown) => boolean) | undefined;
  /** Nobody hears what comes from now on. */
  deaf: boolean;
}

export function countedPort(port: LinkPort): CountedPort {
  let [sent, received] = [0, 0];
  const counted: CountedPort = {
    intercept: undefined,
    deaf: false,
    get sent() {
      return sent;
    },
    get received() {
      return received;
    },
    postMessage(message, transfer) {
      if (counted.intercept?.(message) === true) return;
      port.postMessage(message, transfer);
      sent += 1;
    },
    on(event: 'message' | 'messageerror' | 'close', listener: (value?: unknown) => void) {
      if (event !== 'message') return port.on(event as 'close', listener);
      return port.on('message', (message) => {
        received += 1;
        if (!counted.deaf) listener(message);
      });
    },
    close: () => port.close(),
    ref: () => port.ref(),
    unref: () => port.unref(),
  };
  return counted;
}
