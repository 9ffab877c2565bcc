import { keepSession } from './session.ts';

// Where a link leads: it is in no history of the tab afterwards.
keepSession(document.querySelector<HTMLMetaElement>('meta[name=session]')?.content ?? '');
location.replace('/');
