import { keepSession } from './session.ts';

// Where a link leads: it is in no history of the tab afterwards. What it says of an actor stays.
keepSession(document.querySelector<HTMLMetaElement>('meta[name=session]')?.content ?? '');
location.replace(`/${location.hash}`);
