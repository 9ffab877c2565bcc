import { byId, element, say } from './dom.ts';
import { Feed } from './feed.ts';
import type { InspectionEvent } from './told.ts';

const hosted = 'https://stately.ai';
const frame = element('inspector', HTMLIFrameElement);

/** Begins when the page in the frame says that it listens, and anew when that is loaded again. */
const feed = new Feed({
  told(kind, data) {
    if (kind !== 'replay' && kind !== 'events') return;
    const events = (data as InspectionEvent[]).filter(({ type }) => type !== '@holdfast.log');
    for (const event of events) frame.contentWindow?.postMessage(event, hosted);
  },
  state(state, why = '') {
    byId('notice').hidden = state !== 'refused';
    say(byId('notice'), why);
  },
});

addEventListener('message', ({ data, source: from, origin }: MessageEvent<unknown>) => {
  if (from !== frame.contentWindow || origin !== hosted) return;
  if ((data as { type?: unknown } | null)?.type !== '@statelyai.connected') return;
  feed.start();
});

// Now that somebody hears what it says first.
frame.src = `${hosted}/inspect`;
