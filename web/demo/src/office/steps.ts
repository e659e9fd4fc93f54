// The geometry of the chart: rows of the log to steps on a plane. Draws nothing, and asks nobody.
import type { LogRow, Numbers } from '../api/types.js';

export interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** A row with its moment. */
export interface Step {
  readonly row: LogRow;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface Scale {
  readonly from: number;
  readonly to: number;
  /** The greatest number of the vertical axis, and what lies between its lines. */
  readonly max: number;
  readonly tick: number;
}

export type Measure = keyof Numbers;

/** The steps that count from `from` on: those after it, and the one that was in force then. */
export function stepsSince(rows: readonly LogRow[], from: number): Step[] {
  const steps = rows.map((row) => ({ row, time: Date.parse(row.createdAt) }));
  const first = steps.findLastIndex(({ time }) => time <= from);
  return steps.slice(Math.max(first, 0));
}

export function scaleFor(steps: readonly Step[], from: number, to: number): Scale {
  const greatest = Math.max(1, ...steps.map(({ row }) => row.after.total));
  const tick = niceTick(greatest / 3);
  return { from, to, tick, max: Math.max(tick * Math.ceil(greatest / tick), 1) };
}

/** One of 1, 2, 5, 10, 20, 50 …, no smaller than asked for: there are no half units. */
function niceTick(least: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(least, 1))));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10);
}

export function xOf(time: number, { from, to }: Scale, { left, right }: Frame): number {
  const share = (time - from) / Math.max(1, to - from);
  return round(left + Math.min(1, Math.max(0, share)) * (right - left));
}

export function yOf(value: number, { max }: Scale, { top, bottom }: Frame): number {
  return round(bottom - (value / max) * (bottom - top));
}

/** The line of one number: level until it changes, then straight up or down, up to now. */
export function linePath(steps: readonly Step[], measure: Measure, scale: Scale, frame: Frame): string {
  const [first, ...others] = steps;
  if (!first) return '';
  const start = `M${xOf(first.time, scale, frame)} ${yOf(first.row.after[measure], scale, frame)}`;
  const moves = others.map(({ time, row }) => `H${xOf(time, scale, frame)}V${yOf(row.after[measure], scale, frame)}`);
  return `${start}${moves.join('')}H${frame.right}`;
}

/** The index of the step that is in force at a place. */
export function stepAt(x: number, steps: readonly Step[], scale: Scale, frame: Frame): number {
  return Math.max(
    0,
    steps.findLastIndex(({ time }) => xOf(time, scale, frame) <= x),
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
