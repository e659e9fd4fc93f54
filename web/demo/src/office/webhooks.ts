// The addresses that the shop's events are sent to, how their deliveries fare, and what may be done about that.
import { signal } from '@preact/signals';
import { CREATE_WEBHOOK, DELETE_WEBHOOK, REPEAT_DELIVERY, UPDATE_WEBHOOK, WEBHOOKS } from '../api/desk-documents.js';
import type { Delivery, Webhook, WebhookEvent } from '../api/desk-types.js';
import { drop, hold, undo } from '../api/hold.js';
import { connection } from '../api/live.js';
import { once } from '../api/once.js';
import { request, requestOnce } from '../api/request.js';
import type { UserError } from '../api/types.js';
import { failure, refusal, type Notice } from '../words.js';
import { access } from './log.js';

const EVERY_MS = 3_000;

/** Oldest first; null until they have been read. */
export const webhooks = signal<readonly Webhook[] | null>(null);
export const notice = signal<Notice | null>(null);
/** The secret of the webhook that was registered last. The server tells it once. */
export const secret = signal<string | null>(null);

export const REGISTERING = 'register webhook';

/** The name of what is done to a webhook. */
export function deedOn({ id }: Pick<Webhook, 'id'>): string {
  return `webhook ${id}`;
}

export async function readWebhooks(): Promise<void> {
  if (access.peek() !== 'staff') return;
  const { webhooks: all } = await request(WEBHOOKS, {});
  if (access.peek() === 'staff') webhooks.value = all ?? [];
}

/** Reads again from time to time, while there is something to read. */
export function followWebhooks(): void {
  setInterval(() => {
    const isWorthIt = !document.hidden && connection.peek() === 'live' && (webhooks.peek()?.length ?? 0) > 0;
    if (isWorthIt) readWebhooks().catch(() => {});
  }, EVERY_MS);
}

/** Shows nothing of them any more: whoever asks may not see it. */
export function leaveWebhooks(): void {
  for (const one of webhooks.peek() ?? []) drop(deedOn(one));
  webhooks.value = null;
  notice.value = null;
  secret.value = null;
}

/** Registers an address; whether that was done. */
export async function register(url: string, events: WebhookEvent[]): Promise<boolean> {
  let isDone = false;
  await act(REGISTERING, 'Registered. What happens from now on is sent there.', async () => {
    secret.value = null;
    // Twice would be two of them, so it is sent once.
    const { createWebhook } = await requestOnce(CREATE_WEBHOOK, { input: { url, events } });
    secret.value = createWebhook.secret;
    isDone = createWebhook.webhook !== null;
    return createWebhook.userErrors;
  });
  return isDone;
}

export function switchTo(enabled: boolean, { id }: Webhook): Promise<void> {
  const done = enabled ? 'Switched on. What waits is sent at once.' : 'Switched off: nothing is recorded or sent.';
  return act(deedOn({ id }), done, async () => {
    return (await request(UPDATE_WEBHOOK, { input: { id, enabled } })).updateWebhook.userErrors;
  });
}

/** Deletes a webhook, after a while in which that can be undone: its secret is gone with it. */
export function remove({ id }: Webhook): void {
  notice.value = null;
  hold(deedOn({ id }), () => {
    void act(deedOn({ id }), 'Deleted.', async () => {
      return (await request(DELETE_WEBHOOK, { input: { id } })).deleteWebhook.userErrors;
    });
  });
}

export function undoRemove({ id }: Webhook): void {
  if (undo(deedOn({ id }))) notice.value = { tone: 'good', text: 'It is not deleted.' };
}

export function repeat({ id }: Delivery): Promise<void> {
  return act(`delivery ${id}`, 'It is sent again, under the same id.', async () => {
    return (await request(REPEAT_DELIVERY, { input: { deliveryId: id } })).repeatWebhookDelivery.userErrors;
  });
}

function act(what: string, done: string, deed: () => Promise<readonly UserError[]>): Promise<void> {
  return once(what, async () => {
    notice.value = null;
    try {
      const [first] = await deed();
      const text = first?.code === 'LIMIT_EXCEEDED' ? `${first.message}` : refusal(first ? [first] : []);
      notice.value = text ? { tone: 'bad', text } : { tone: 'good', text: done };
    } catch (error) {
      notice.value = { tone: 'bad', text: failure(error) };
    }
    await readWebhooks().catch(() => {});
  });
}
