// The time that is left of something, as minutes and seconds.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

const TICK_MS = 500;

/** `what` ends at `until`: “Held for 14:59”. The seconds are not read out, one after the other. */
export function Countdown({ what, until }: { what: string; until: string }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.ceil((Date.parse(until) - now.value) / 1_000));
  return (
    <span class="countdown" role="timer">
      {what} <time datetime={until}>{asClock(seconds)}</time>
    </span>
  );
}

/** `14:59`, or with hours `1:14:59`. */
function asClock(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const pad = (number: number) => String(number).padStart(2, '0');
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(seconds % 60)}` : `${minutes}:${pad(seconds % 60)}`;
}
