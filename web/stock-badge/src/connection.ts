// Keeps a link to one endpoint while somebody wants it: comes back after every loss, rests while the page is hidden.
// Never gives up, never hurries more than somebody who uses the page can notice, and knows nothing of products.
import { habitOf, type Habit, type Kind } from './habit.js';
import type { Ear, Ending, Link } from './link.js';
import { isUsed, noteUse, pauseAfter, SIGNS_OF_USE } from './pace.js';
import { canRenew, connectionParams } from './settings.js';
import { openSocket } from './socket.js';
import { openStream } from './stream.js';
import { findReason, tellBlocked, tellRefusal } from './why.js';

/** A link that held for so long was a good one: the pauses begin anew. */
const STEADY_MS = 10_000;
/** How long a hidden page keeps its link, for those who come back soon. */
const HIDDEN_MS = 30_000;
/** Shortest time between two attempts that somebody who comes to the page causes. */
const MIN_GAP_MS = 1_000;

const OPEN = { socket: openSocket, stream: openStream };

/** What happens to a page, apart from its visibility. */
const EVENTS = ['pagehide', 'pageshow', 'online', 'offline', 'focus'];

type Listener = Pick<Ear, 'ready' | 'next' | 'failed'> & { lost(): void };

export class Connection {
  readonly #endpoint: string;
  readonly #ear: Listener;
  readonly #habit: Habit;
  #link: Link | undefined;
  #isWanted = false;
  #isResting = false;
  #isOpening = false;
  /** The server refused this page on its own account, as far as could be found out. */
  #isRefused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hiding: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #since = 0;
  #turn = 0;
  /** What was tried in this attempt. */
  #tried = new Set<Kind>();
  #triedAt = 0;
  /** The server asked to be left alone until then. */
  #notBefore = 0;

  constructor(endpoint: string, ear: Listener) {
    this.#endpoint = endpoint;
    this.#ear = ear;
    this.#habit = habitOf(endpoint);
  }

  /** The link, once it can be subscribed on. */
  get link(): Link | undefined {
    return this.#isOpening ? undefined : this.#link;
  }

  /** Begins, and follows what becomes of the page. */
  start(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    for (const type of ['visibilitychange', 'securitypolicyviolation']) document.addEventListener(type, this);
    for (const type of EVENTS) addEventListener(type, this);
    for (const type of SIGNS_OF_USE) addEventListener(type, this, { capture: true, passive: true });
    this.#isResting = document.hidden;
    this.#now();
  }

  stop(): void {
    this.#isWanted = false;
    for (const type of ['visibilitychange', 'securitypolicyviolation']) document.removeEventListener(type, this);
    for (const type of EVENTS) removeEventListener(type, this);
    for (const type of SIGNS_OF_USE) removeEventListener(type, this, { capture: true });
    clearTimeout(this.#hiding);
    this.#drop();
  }

  /** Begins anew at once, as somebody else perhaps. */
  restart(): void {
    this.#drop();
    this.#now();
  }

  handleEvent(event: Event): void {
    const { type } = event;
    if (type === 'securitypolicyviolation') return this.#noteBlocked(event as SecurityPolicyViolationEvent);
    if (SIGNS_OF_USE.includes(type)) {
      const wasUsed = isUsed();
      noteUse();
      return wasUsed ? undefined : this.#hurry();
    }
    clearTimeout(this.#hiding);
    if (type === 'online') this.#habit.forget();
    if (type === 'offline') {
      this.#drop();
      this.#later({});
    } else if (type === 'pagehide') {
      // An open socket would keep the page from being kept for the way back.
      this.#rest();
    } else if (document.hidden) {
      this.#hiding = setTimeout(() => this.#rest(), HIDDEN_MS);
    } else {
      this.#isResting = false;
      noteUse();
      this.#hurry();
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
    this.#attempts = 0;
    this.#begin();
  }

  /** Somebody has come to the page: a link shows that it is good, and a pause ends, unless the server asked for it. */
  #hurry(): void {
    if (!this.#isWanted || this.#isResting) return;
    if (this.#link || this.#isOpening) return this.#link?.check();
    const wait = Math.max(this.#notBefore, this.#triedAt + MIN_GAP_MS) - Date.now();
    if (wait <= 0) this.#now();
    else this.#schedule(wait);
  }

  #later({ isFinal = false, waitMs = 0 }: Ending): void {
    if (!this.#isWanted || this.#isResting) return;
    const pause = pauseAfter(this.#attempts, isFinal || this.#isRefused);
    this.#attempts += 1;
    this.#notBefore = Date.now() + waitMs;
    this.#schedule(pause + waitMs);
  }

  #schedule(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#begin(), wait);
  }

  /** Begins an attempt, with every kind of link again. */
  #begin(): void {
    clearTimeout(this.#timer);
    this.#tried = new Set();
    void this.#open();
  }

  async #open(): Promise<void> {
    if (!this.#isWanted || this.#isResting) return;
    const kind = this.#habit.choose(this.#tried);
    if (!kind) return;
    this.#tried.add(kind);
    this.#triedAt = Date.now();
    // Whatever begins, rests or stops meanwhile makes this attempt void.
    const turn = ++this.#turn;
    this.#isOpening = true;
    const params = await connectionParams();
    if (this.#turn !== turn) return;
    if (!params) {
      this.#isOpening = false;
      return this.#later({});
    }
    const ear: Ear = {
      ready: () => {
        this.#since = Date.now();
        this.#isOpening = false;
        if (kind === 'socket') this.#isGood(kind);
        this.#ear.ready();
      },
      next: (id, stock) => {
        if (kind === 'stream') this.#isGood(kind);
        this.#ear.next(id, stock);
      },
      failed: (id, mayPass) => this.#ear.failed(id, mayPass),
      ended: (ending) => this.#ended(ending, kind),
    };
    try {
      this.#link = OPEN[kind](this.#endpoint, params, ear, this.#habit.waitMs);
    } catch {
      // The page's policy, or a browser that has none of it.
      this.#ended({}, kind);
    }
  }

  #isGood(kind: Kind): void {
    this.#isRefused = false;
    this.#habit.worked(kind);
  }

  #ended(ending: Ending, kind: Kind): void {
    const hadOpened = this.#link?.hasOpened ?? false;
    this.#link = undefined;
    this.#isOpening = false;
    if (!hadOpened) this.#habit.failed(kind);
    this.#ear.lost();
    // A token that has expired is got anew at once; whatever else the server refuses, it refuses again.
    const isExpired = ending.why === 'token' && hadOpened && canRenew();
    if (ending.why && !isExpired) tellRefusal(this.#endpoint, ending.why);
    if (!hadOpened && !ending.isFinal && !ending.waitMs) {
      if (this.#habit.choose(this.#tried)) return void this.#open();
      void this.#ask(ending.isSilent);
    }
    if (hadOpened && Date.now() - this.#since > STEADY_MS) this.#attempts = 0;
    this.#later({ ...ending, isFinal: Boolean(ending.isFinal) && !isExpired });
  }

  /** Nothing works, or nothing works any more: looks for the reason. Whoever is refused waits long for the next attempt. */
  async #ask(isSilent = false): Promise<void> {
    if (this.#habit.isTrusted) return;
    const reason = await findReason(this.#endpoint, this.#habit, isSilent);
    if (!reason || this.#isRefused) return;
    this.#isRefused = true;
    if (!this.#link && !this.#isOpening) this.#later({});
  }

  /** A kind of link that the policy of the page forbids is not tried again: the policy stays. */
  #noteBlocked({ blockedURI, effectiveDirective, disposition }: SecurityPolicyViolationEvent): void {
    if (effectiveDirective !== 'connect-src' || disposition !== 'enforce' || this.#habit.hasWorked) return;
    const blocked = URL.canParse(blockedURI) ? new URL(blockedURI) : undefined;
    if (blocked?.host !== new URL(this.#endpoint).host) return;
    const kind = blocked.protocol.startsWith('ws') ? 'socket' : 'stream';
    if (!this.#tried.has(kind)) return;
    this.#habit.blocked.add(kind);
    if (this.#habit.blocked.size === 2) tellBlocked(this.#endpoint);
  }
}
