// One product's three numbers over time, in steps, from its log. Told in colours, in dashes, and in words; read by
// pointing at it, or with the arrow keys.
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { LogRow } from '../api/types.js';
import { More } from '../more.jsx';
import { actionWord, clock, count, name, shortCount, since, units } from '../words.js';
import { chosen, hasOlderHistory, history, isHistoryPart, showMoreHistory } from './log.js';
import { linePath, scaleFor, stepAt, stepsSince, xOf, yOf } from './steps.js';
import type { Frame, Measure, Scale, Step } from './steps.js';

const HEIGHT = 190;
const MINUTE = 60_000;
const TICK_MS = 1_000;
/** Numbers from here on are written smaller. */
const LONG = 100_000;
/** The width of a digit on the axis. */
const DIGIT = 8;
/** A history that has just begun is not stretched further than this. */
const LEAST_MS = 10_000;

/** How far back the chart reaches. */
const SPANS = [
  { label: '2 min', ms: 2 * MINUTE },
  { label: '1 hour', ms: 60 * MINUTE },
  { label: 'all', ms: Infinity },
];

/** Drawn in this order, so that a line that lies on another one is seen by its dashes. */
const MEASURES: readonly Measure[] = ['total', 'available', 'allocated'];

/** What is looked at: a step, and the place that is pointed at. */
interface Look {
  readonly index: number;
  readonly x?: number;
}

export function Chart() {
  const [width, box] = useWidth();
  const span = useSignal(SPANS[0]);
  const looked = useSignal<Look | null>(null);
  const now = useNow();
  const rows = history.value ?? [];
  const newest = rows.at(-1);
  if (!chosen.value || !newest) {
    return <p class="quiet chart-empty">{history.value ? 'It has no history yet.' : 'Reading its history…'}</p>;
  }

  // The clocks of the server and of this machine may differ.
  const to = Math.max(now, Date.parse(newest.createdAt));
  const first = Date.parse(rows[0]?.createdAt ?? newest.createdAt);
  const from = Math.min(Math.max(first, to - (span.value?.ms ?? MINUTE)), to - LEAST_MS);
  const steps = stepsSince(rows, from);
  const scale = scaleFor(steps, from, to);
  const left = Math.max(...ticksOf(scale).map((tick) => shortCount(tick).length)) * DIGIT + 12;
  const frame = { left, right: Math.max(width - 8, 60), top: 10, bottom: HEIGHT - 22 };
  const at = Math.min(looked.value?.index ?? steps.length - 1, steps.length - 1);
  const step = steps[at];
  const point = ({ offsetX: x }: PointerEvent) => (looked.value = { index: stepAt(x, steps, scale, frame), x });
  return (
    <div class="chart" ref={box}>
      <Legend step={step} />
      <svg
        role="img"
        aria-label={summary(name(chosen.value.name), steps)}
        width={width}
        height={HEIGHT}
        viewBox={`0 0 ${width} ${HEIGHT}`}
        onPointerMove={point}
        onPointerDown={point}
        onPointerLeave={() => (looked.value = null)}
      >
        <Grid scale={scale} frame={frame} />
        {MEASURES.map((measure) => (
          <path key={measure} class={`series ${measure}`} d={linePath(steps, measure, scale, frame)} />
        ))}
        {looked.value && step && (
          <Mark step={step} x={looked.value.x ?? xOf(step.time, scale, frame)} scale={scale} frame={frame} />
        )}
      </svg>
      <p class="readout">{step && told(step.row)}</p>
      <div class="chart-controls">
        <label class="scrub">
          <span class="unseen">Look back through the history</span>
          <input
            type="range"
            min={0}
            max={Math.max(steps.length - 1, 0)}
            value={at}
            aria-valuetext={step && `${told(step.row)}. ${numbers(step.row)}`}
            onInput={({ currentTarget }) => (looked.value = { index: currentTarget.valueAsNumber })}
            onBlur={() => (looked.value = null)}
          />
        </label>
        <fieldset class="choices small">
          <legend class="unseen">How far back</legend>
          {SPANS.map((one) => (
            <label key={one.label}>
              <input type="radio" name="span" checked={span.value === one} onChange={() => (span.value = one)} />
              <span>{one.label}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <AsTable steps={steps} />
      {isHistoryPart.value && (
        <More
          said={`Its newest ${count(rows.length)} changes are shown; there are older ones.`}
          things="changes"
          {...(hasOlderHistory.value && { name: 'more history', onMore: () => void showMoreHistory() })}
        />
      )}
    </div>
  );
}

/** The legend is the three numbers themselves. */
function Legend({ step }: { step: Step | undefined }) {
  const isLong = step !== undefined && step.row.after.total >= LONG;
  return (
    <dl class={`numbers ${isLong ? 'long' : ''}`}>
      {MEASURES.map((measure) => (
        <div key={measure} class={measure}>
          <dt>
            <svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true">
              <path class={`series ${measure}`} d="M1 4H23" />
            </svg>
            {measure}
          </dt>
          <dd data-number={measure} key={step?.row.after[measure]}>
            {step ? count(step.row.after[measure]) : '–'}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Grid({ scale, frame }: { scale: Scale; frame: Frame }) {
  return (
    <g class="grid">
      {ticksOf(scale).map((value) => (
        <g key={value}>
          <path d={`M${frame.left} ${yOf(value, scale, frame)}H${frame.right}`} />
          <text x={frame.left - 6} y={yOf(value, scale, frame) + 4} text-anchor="end">
            {shortCount(value)}
          </text>
        </g>
      ))}
      <text x={frame.left} y={HEIGHT - 5}>
        {since(scale.from, scale.to)}
      </text>
      <text x={frame.right} y={HEIGHT - 5} text-anchor="end">
        now
      </text>
    </g>
  );
}

function ticksOf({ max, tick }: Scale): number[] {
  return Array.from({ length: Math.round(max / tick) + 1 }, (_, index) => index * tick);
}

function Mark({ step, x, scale, frame }: { step: Step; x: number; scale: Scale; frame: Frame }) {
  return (
    <g class="mark">
      <path d={`M${x} ${frame.top}V${frame.bottom}`} />
      {MEASURES.map((measure) => (
        <circle key={measure} class={measure} cx={x} cy={yOf(step.row.after[measure], scale, frame)} r={4} />
      ))}
    </g>
  );
}

function AsTable({ steps }: { steps: readonly Step[] }) {
  return (
    <details class="as-table">
      <summary>The same as a table</summary>
      <table>
        <thead>
          <tr>
            {['When', 'What', ...MEASURES].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {steps.map(({ row }) => (
            <tr key={row.id}>
              <td>{clock(row.createdAt)}</td>
              <td>
                {actionWord(row.action)} {count(row.quantity)}
              </td>
              {MEASURES.map((measure) => (
                <td key={measure}>{count(row.after[measure])}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function told(row: LogRow): string {
  const order = row.order ? `, order ${row.order.number}` : '';
  return `${clock(row.createdAt)}: ${actionWord(row.action)} ${units(row.quantity)}${order}`;
}

function numbers({ after }: LogRow): string {
  return MEASURES.map((measure) => `${measure} ${after[measure]}`).join(', ');
}

function summary(name: string, steps: readonly Step[]): string {
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last) return name;
  const changes = steps.length === 1 ? 'no change' : steps.length === 2 ? '1 change' : `${steps.length - 1} changes`;
  return `${name} over time, ${changes}: from ${numbers(first.row)} to ${numbers(last.row)}.`;
}

/** The width that there is, as it changes. */
function useWidth() {
  const width = useSignal(400);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      // A hidden tab has none.
      if (entry && entry.contentRect.width > 0) width.value = Math.round(entry.contentRect.width);
    });
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, [Boolean(history.value?.length)]);
  return [width.value, box] as const;
}

/** The time, a little behind. */
function useNow(): number {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = document.hidden ? now.value : Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now.value;
}
