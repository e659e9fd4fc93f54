// The end of a list that is not shown whole: says so, and goes on when it is asked to.
import { isUnderWay } from './api/once.js';

interface What {
  /** What is left out, in words. */
  readonly said: string;
  /** What the button shows more of: “products”. */
  readonly things: string;
  /** The name of what the button does. Nothing more can be shown without it. */
  readonly name?: string;
  readonly trouble?: string | null;
  readonly onMore?: () => void;
}

export function More({ said, things, name, trouble, onMore }: What) {
  const isReading = name !== undefined && isUnderWay(name);
  const label = isReading ? 'Reading more' : 'Show more';
  return (
    <div class="more">
      <p role="status" class={trouble ? 'notice bad' : 'quiet'}>
        {trouble ?? said}
      </p>
      {onMore && (
        <button type="button" aria-disabled={isReading} aria-label={`${label} ${things}`} onClick={onMore}>
          {label}
        </button>
      )}
    </div>
  );
}
