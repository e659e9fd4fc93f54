// Keeps a link to one endpoint while somebody wants it: comes back after every loss, rests while the page is hidden.
// Never gives up, never hurries, and knows nothing of products.
import type { Ear, Link } from './link.js';
import { canRenew, connectionParams } from './settings.js';
import { openSocket } from './socket.js';
import { openStream } from './stream.js';

/** The first pause before another attempt; it doubles each time, */
const FIRST_PAUSE_MS = 500;
/** up to this. */
const MAX_PAUSE_MS = 60_000;
/** Up to so much of a pause is left out by chance, so that not every page comes back in the same moment. */
const JITTER = 0.8;
/** A link that held for so long was a good one: the pauses begin anew. */
const STEADY_MS = 10_000;
/** After so many websockets that never opened, every next attempt is a stream. */
const SOCKETS_BEFORE_STREAM = 3;
/** How long a hidden page keeps its link, for those who come back soon. */
const HIDDEN_MS = 30_000;

export class Connection {
  readonly #endpoint: string;
  readonly #ear: Omit<Ear, 'ended'> & { lost(): void };
  #link: Link | undefined;
  #isWanted = false;
  #isResting = false;
  #isOpening = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #since = 0;
  #everBySocket = false;
  #failedSockets = 0;
  #turn = 0;

  constructor(endpoint: string, ear: Omit<Ear, 'ended'> & { lost(): void }) {
    this.#endpoint = endpoint;
    this.#ear = ear;
  }

  /** The link, once it can be subscribed on. */
  get link(): Link | undefined {
    return this.#isOpening ? undefined : this.#link;
  }

  /** Begins, and follows what becomes of the page. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    document.addEventListener('visibilitychange', this);
    for (const type of EVENTS) addEventListener(type, this);
    this.#isResting = document.hidden;
    this.#now();
  }

  stop(): void {
    this.#isWanted = false;
    document.removeEventListener('visibilitychange', this);
    for (const type of EVENTS) removeEventListener(type, this);
    clearTimeout(this.#hiding);
    this.#drop();
  }

  /** Begins anew at once, as somebody else perhaps. */
  restart(): void {
    this.#drop();
    this.#now();
  }

  handleEvent(event: Event): void {
    clearTimeout(this.#hiding);
    if (event.type === 'offline') {
      this.#drop();
      this.#later(false);
    } else if (event.type === 'pagehide') {
      // An open socket would keep the page from being kept for the way back.
      this.#rest();
    } else if (document.hidden) {
      this.#hiding = setTimeout(() => this.#rest(), HIDDEN_MS);
    } else {
      this.#isResting = false;
      if (!this.#link) this.#now();
    }
  }

  #rest(): void {
    this.#isResting = true;
    this.#drop();
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#turn += 1;
    const link = this.#link;
    this.#link = undefined;
    this.#isOpening = false;
    link?.close();
    if (link) this.#ear.lost();
  }

  #now(): void {
    clearTimeout(this.#timer);
    this.#attempts = 0;
    void this.#open();
  }

  #later(isFinal: boolean): void {
    if (!this.#isWanted || this.#isResting) return;
    const pause = isFinal ? MAX_PAUSE_MS : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts);
    this.#attempts += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#open(), pause * (1 - JITTER * Math.random()));
  }

  async #open(): Promise<void> {
    if (!this.#isWanted || this.#isResting) return;
    // Whatever begins, rests or stops meanwhile makes this attempt void.
    const turn = ++this.#turn;
    let params;
    try {
      params = await connectionParams();
    } catch {
      // Perhaps the next attempt has a token.
    }
    if (this.#turn !== turn) return;
    if (!params) return this.#later(false);
    const bySocket = this.#everBySocket || this.#failedSockets < SOCKETS_BEFORE_STREAM;
    const open = bySocket ? openSocket : openStream;
    const ear: Ear = {
      ready: () => {
        this.#since = Date.now();
        this.#isOpening = false;
        this.#everBySocket ||= bySocket;
        this.#ear.ready();
      },
      next: (id, stock) => this.#ear.next(id, stock),
      ended: (isFinal) => this.#ended(isFinal, bySocket),
    };
    this.#isOpening = true;
    try {
      this.#link = open(this.#endpoint, params, ear);
    } catch {
      // The page's policy, or a browser that has none of it.
      this.#isOpening = false;
      this.#ended(false, bySocket);
    }
  }

  #ended(isFinal: boolean, bySocket: boolean): void {
    const hadOpened = this.#link?.hasOpened ?? false;
    this.#link = undefined;
    this.#isOpening = false;
    // Of streams and sockets, the kind that works is taken again; a stream that fails gives sockets another chance.
    if (bySocket) this.#failedSockets += hadOpened || isFinal ? 0 : 1;
    else if (!hadOpened) this.#failedSockets = 0;
    if (hadOpened && Date.now() - this.#since > STEADY_MS) this.#attempts = 0;
    this.#ear.lost();
    // A token that has expired is got anew at once; whatever else the server refuses, it refuses again.
    this.#later(isFinal && !(hadOpened && canRenew()));
  }
}

const EVENTS = ['pagehide', 'pageshow', 'online', 'offline'];
