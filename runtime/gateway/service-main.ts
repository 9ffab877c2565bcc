import { HoldfastError } from '../errors.ts';
import { lineLogger } from './line-logger.ts';
import type { FromService, ToService } from './messages.ts';
import { Service } from './service.ts';

// The process that a front starts; it speaks over the IPC channel alone.
const service = new Service(lineLogger((line) => void process.stdout.write(line)));
const tell = (message: FromService): void => void process.send?.(message);

process.on('message', (message: ToService) => {
  service.handle(message).then(
    (answer) => {
      if (answer !== undefined) tell(answer);
      if (message.type === 'stop') process.disconnect();
    },
    (error: unknown) => {
      const code = error instanceof HoldfastError ? error.code : 'SERVICE_FAILED';
      tell({ type: 'failed', code, message: error instanceof Error ? error.message : String(error) });
    },
  );
});

// Signals are for the front: a terminal sends Ctrl-C to both.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

// Without a front nobody can reach it.
process.once('disconnect', () => {
  void service.stop().finally(() => process.exit(0));
});
