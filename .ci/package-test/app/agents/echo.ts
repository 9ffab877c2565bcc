import { readFileSync } from 'node:fs';
import { fromTransition } from 'xstate';
import { replyTo } from 'holdfast/agent';

type Asked = { type: 'echo'; value: unknown } | { type: 'read'; paths: string[] } | { type: 'nothing' };

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
  if (event.type === 'read') replyTo(event, event.paths.map(read));
  return state;
}, null);
