// What is held for some seconds, with a countdown and the way back.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

const TICK_MS = 250;

interface What {
  /** What comes: “Ships”, or with `isLimit` what ends: “Can be taken back for”. */
  readonly what: string;
  readonly isLimit?: boolean;
  /** What the button undoes, for those who do not see where it stands. */
  readonly subject: string;
  /** Until when, in milliseconds since 1970. */
  readonly at: number;
  readonly onUndo: () => void;
}

export function Undoing({ what, isLimit = false, subject, at, onUndo }: What) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((at - now.value) / 1_000));
  return (
    <div class="undoing">
      {/* The seconds are not read out, one after the other. */}
      <span aria-hidden="true">
        {what} {isLimit ? '' : 'in '}
        {seconds} s
      </span>
      <button type="button" aria-label={`Undo ${subject}`} onClick={onUndo}>
        Undo
      </button>
    </div>
  );
}
