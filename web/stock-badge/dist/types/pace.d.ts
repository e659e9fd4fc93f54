/** What shows that somebody uses a page. */
export declare const SIGNS_OF_USE: string[];
/** Notes that somebody uses the page. */
export declare function noteUse(): void;
/** Whether somebody uses the page, as far as can be seen. */
export declare function isUsed(): boolean;
/** The pause after so many attempts that failed. */
export declare function pauseAfter(attempts: number, isRefused: boolean): number;
