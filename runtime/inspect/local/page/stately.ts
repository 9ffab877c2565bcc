import { element } from './dom.ts';
import type { InspectionEvent } from './told.ts';

const hosted = 'https://stately.ai';
const frame = element('inspector', HTMLIFrameElement);

/** Begins when the page in the frame says that it listens, and anew when that is loaded again. */
let source: EventSource | undefined;

function pass({ data }: MessageEvent<string>): void {
  for (const event of JSON.parse(data) as InspectionEvent[]) frame.contentWindow?.postMessage(event, hosted);
}

addEventListener('message', ({ data, source: from, origin }: MessageEvent<unknown>) => {
  if (from !== frame.contentWindow || origin !== hosted) return;
  if ((data as { type?: unknown } | null)?.type !== '@statelyai.connected') return;
  source?.close();
  source = new EventSource('/events');
  source.addEventListener('replay', pass);
  source.addEventListener('events', pass);
});

// Now that somebody hears what it says first.
frame.src = `${hosted}/inspect`;
