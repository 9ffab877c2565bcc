import type { Socket } from 'node:net';
import { HoldfastError } from '../base/errors.ts';
import { lineLogger } from './line-logger.ts';
import { writeLines } from './log-output.ts';
import type { FromService, ToService } from './messages.ts';
import { OwnServices } from './own-services.ts';
import { Service } from './service.ts';

// The process that a front starts; it speaks over the IPC channel alone.
const tell = (message: FromService): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};
// A front that was killed reads nothing more, but work of the agents that has begun is finished all the same.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {});
const logger = lineLogger(writeLines(process.stdout));
const services = new OwnServices((told) => new Service(logger, told), tell);

process.on('message', (message: ToService, socket?: Socket) => {
  services.handle(message, socket).then(
    (isOver) => {
      if (isOver && process.connected) process.disconnect();
    },
    (error: unknown) => {
      const code = error instanceof HoldfastError ? error.code : 'SERVICE_FAILED';
      tell({ type: 'failed', code, message: error instanceof Error ? error.message : String(error) });
    },
  );
});

// Signals are for the front: a terminal sends Ctrl-C to both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

/** Longer than any stop takes; work that hangs for that long ends with the process. */
const END_MS = 60_000;

// Without a front nobody can reach this process, and nobody would end it.
process.once('disconnect', () => {
  setTimeout(() => process.exit(1), END_MS);
  void services.stop().finally(() => process.exit(0));
});
