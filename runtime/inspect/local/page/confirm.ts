import { byId, element, say } from './dom.ts';

/** What is to be confirmed, in words. */
export interface Question {
  /** `Stop data/btc?` */
  readonly title: string;
  /** What will happen, in numbers. */
  readonly what: string;
  /** `Stop it` and `Keep it` */
  readonly yes: string;
  readonly no?: string;
  /** The same from a shell, where there is a command for it. */
  readonly command?: string | undefined;
}

/** Asks before something is done. What is pressed first does nothing: the focus is on the button that leaves all as it is. */
export async function confirm({ title, what, yes, no = 'Leave it', command }: Question): Promise<boolean> {
  const dialog = element('confirm', HTMLDialogElement);
  say(byId('confirm-title'), title);
  say(byId('confirm-what'), what);
  say(byId('confirm-yes'), yes);
  say(byId('confirm-no'), no);
  byId('confirm-also').hidden = command === undefined;
  say(byId('confirm-command'), command ?? '');
  dialog.returnValue = '';
  dialog.showModal();
  byId('confirm-no').focus();
  return new Promise((resolve) => {
    const press = (event: Event): void => dialog.close((event.currentTarget as HTMLElement).id);
    const buttons = [byId('confirm-yes'), byId('confirm-no')];
    for (const button of buttons) button.addEventListener('click', press);
    dialog.addEventListener(
      'close',
      () => {
        for (const button of buttons) button.removeEventListener('click', press);
        resolve(dialog.returnValue === 'confirm-yes');
      },
      { once: true },
    );
  });
}
