import { readFileSync } from 'node:fs';
import { fromTransition } from 'xstate';
import { replyStream, replyTo } from 'holdfast/agent';

type Asked =
  | { type: 'echo'; value: unknown }
  | { type: 'read'; paths: string[] }
  | { type: 'fail' }
  | { type: 'nothing' };

/** Whether a file can be read, or the code of why not. */
function read(path: string): unknown {
  try {
    return readFileSync(path).length > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

export default fromTransition((state: null, event: Asked) => {
  if (event.type === 'echo') replyTo(event, event.value);
  // With an error of Holdfast that is made in `holdfast/agent`.
  if (event.type === 'fail') replyStream(event).fail(replyStream({ type: 'unasked' }).signal.reason);
  if (event.type === 'read') replyTo(event, event.paths.map(read));
  return state;
}, null);
