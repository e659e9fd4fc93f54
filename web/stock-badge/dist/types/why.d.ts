import type { Habit } from './habit.js';
import type { Reason } from './stock.js';
/** Says why the server at `endpoint` refused this page. */
export declare function tellRefusal(endpoint: string, why: Reason): void;
/** Looks why nothing came of an attempt, not too often; the reason, if the same will happen again. */
export declare function findReason(endpoint: string, habit: Habit, isSilent: boolean): Promise<Reason | undefined>;
/** Says that the policy of the page forbids every way to the server. */
export declare function tellBlocked(endpoint: string): void;
