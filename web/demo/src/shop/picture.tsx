// Pictures of products, drawn from their SKU: a known word in it chooses the thing, and the whole of it the colours, so
// the same product always looks the same and no picture is ever loaded.
import type { ComponentChild } from 'preact';

/** Draws in a field of 100 by 100, with the colours of the style sheet: a, b and c from strong to light. */
type Drawing = () => ComponentChild;

const THINGS: readonly [word: string, draw: Drawing][] = [
  ['TEAPOT', teapot],
  ['TEA-', leaves],
  ['MUG', mug],
  ['COFFEE', beans],
  ['GRINDER', grinder],
  ['KETTLE', kettle],
  ['TOWEL', towels],
  ['TRAY', tray],
  ['HONEY', honey],
  ['GIFT', gift],
];

/** Colours that the names of things suggest. */
const HUES: readonly [word: string, hue: number][] = [
  ['BLUE', 9],
  ['GREEN', 5],
  ['MINT', 6],
  ['EARL', 2],
  ['COFFEE', 1],
  ['HONEY', 3],
  ['OAK', 2],
  ['TEAPOT', 8],
  ['KETTLE', 7],
  ['GRINDER', 0],
  ['TOWEL', 10],
  ['GIFT', 11],
];

const HUE_COUNT = 12;

export function Picture({ sku }: { sku: string }) {
  const word = sku.toUpperCase();
  const draw = THINGS.find(([part]) => word.includes(part))?.[1] ?? (() => crate(hash(word)));
  const hue = HUES.find(([part]) => word.includes(part))?.[1] ?? hash(word) % HUE_COUNT;
  return (
    <svg class={`picture hue-${hue}`} viewBox="0 0 100 100" aria-hidden="true">
      <ellipse class="shade" cx="50" cy="84" rx="30" ry="4" />
      {draw()}
    </svg>
  );
}

function mug() {
  return (
    <>
      <path class="line b-line" d="M66 46h8a9 9 0 0 1 0 24h-9" stroke-width="6" />
      <path class="a" d="M28 38h40v36a10 10 0 0 1-10 10H38a10 10 0 0 1-10-10z" />
      <path class="b" d="M28 54h40v9H28z" />
      <ellipse class="c" cx="48" cy="38" rx="20" ry="4.5" />
      <path class="line c-line" d="M41 28c-4-5 4-7 0-12M54 28c-4-5 4-7 0-12" stroke-width="2.5" />
    </>
  );
}

function teapot() {
  return (
    <>
      <path class="line b-line" d="M30 44c-18-2-18 26 2 27" stroke-width="5.5" />
      <path class="b" d="M70 62c6-3 7-16 18-18l1 5c-7 3-7 20-17 24z" />
      <path class="a" d="M28 60c0-16 11-24 23-24s23 8 23 24c0 15-8 24-23 24S28 75 28 60z" />
      <path class="b" d="M37 40c2-7 26-7 28 0-6-5-22-5-28 0z" />
      <circle class="c" cx="51" cy="30" r="4.5" />
      <path class="line c-line" d="M36 58c1-7 5-11 9-13" stroke-width="2.5" />
    </>
  );
}

function leaves() {
  return (
    <>
      <path class="a" d="M30 30h40l4 8v42a4 4 0 0 1-4 4H30a4 4 0 0 1-4-4V38z" />
      <path class="b" d="M30 22h40v8H30z" />
      <rect class="c" x="34" y="44" width="32" height="28" rx="3" />
      <path class="a" d="M50 69c-11-4-12-15 0-22 12 7 11 18 0 22z" />
      <path class="line c-line" d="M50 52v17" stroke-width="1.6" />
    </>
  );
}

function beans() {
  const bean = (x: number, y: number, turn: number) => (
    <g transform={`translate(${x} ${y}) rotate(${turn})`}>
      <ellipse class="a" rx="8" ry="11" />
      <path class="line c-line" d="M0-10c-5 7 5 13 0 20" stroke-width="1.8" />
    </g>
  );
  return (
    <>
      <path class="b" d="M31 20h38l-3 8 6 14v38a4 4 0 0 1-4 4H32a4 4 0 0 1-4-4V42l6-14z" />
      <path class="a" d="M31 20h38l-3 8H34z" />
      <rect class="c" x="34" y="44" width="32" height="32" rx="16" />
      {bean(44, 60, -24)}
      {bean(57, 60, 20)}
    </>
  );
}

function grinder() {
  return (
    <>
      <path class="line a-line" d="M50 34V20h22" stroke-width="4.5" />
      <circle class="b" cx="74" cy="20" r="5" />
      <path class="b" d="M34 50c0-20 32-20 32 0z" />
      <rect class="a" x="30" y="50" width="40" height="34" rx="3" />
      <rect class="c" x="38" y="60" width="24" height="15" rx="2" />
      <circle class="a" cx="50" cy="67.5" r="2.6" />
    </>
  );
}

function kettle() {
  return (
    <>
      <path class="line b-line" d="M66 74c16-2 6-32 20-38" stroke-width="5" />
      <path class="line a-line" d="M36 44c-20-6-24 26-12 30" stroke-width="4.5" />
      <path class="a" d="M37 42h26l9 36a5 5 0 0 1-5 6H33a5 5 0 0 1-5-6z" />
      <path class="b" d="M35 42c3-9 27-9 30 0z" />
      <circle class="c" cx="50" cy="32" r="4" />
      <path class="line c-line" d="M40 52l-4 18" stroke-width="2.5" />
    </>
  );
}

function towels() {
  const towel = (y: number, kind: string) => (
    <>
      <rect class={kind} x="24" y={y} width="52" height="17" rx="8" />
      <path class="line c-line" d={`M32 ${y + 8.5}h36`} stroke-width="2" stroke-dasharray="5 3" />
    </>
  );
  return (
    <>
      {towel(67, 'a')}
      {towel(49, 'b')}
      {towel(31, 'a')}
    </>
  );
}

function tray() {
  return (
    <>
      <ellipse class="a" cx="50" cy="60" rx="38" ry="23" />
      <ellipse class="b" cx="50" cy="57" rx="33" ry="18" />
      <path class="line c-line" d="M22 52c16-6 40-6 56 0M19 58c20-6 42-6 62 0M24 65c16-5 36-5 52 0" stroke-width="1.6" />
      <path class="line a-line" d="M8 56c-3 5-1 9 4 10M92 56c3 5 1 9-4 10" stroke-width="4" />
    </>
  );
}

function honey() {
  return (
    <>
      <rect class="b" x="31" y="22" width="38" height="11" rx="3" />
      <path class="a" d="M34 33h32c7 5 8 9 8 16v25a10 10 0 0 1-10 10H36a10 10 0 0 1-10-10V49c0-7 1-11 8-16z" />
      <path class="c" d="M50 45l12 7v14l-12 7-12-7V52z" />
      <path class="line a-line" d="M50 53l5.5 3v6.500l-5.5 3-5.5-3V56z" stroke-width="2" />
    </>
  );
}

function gift() {
  return (
    <>
      <rect class="a" x="18" y="32" width="64" height="46" rx="6" />
      <path class="b" d="M18 48h64v10H18zM34 32h10v46H34z" />
      <path class="line c-line" d="M39 52c-16-16-18 4 0 1 18 3 16-17 0-1z" stroke-width="3" />
    </>
  );
}

/** Anything else comes in a box, with a label of its own. */
function crate(seed: number) {
  const sides = 3 + (seed % 4);
  const corner = (index: number) => {
    const angle = (2 * Math.PI * index) / sides - Math.PI / 2;
    return `${(50 + 10 * Math.cos(angle)).toFixed(1)} ${(60 + 10 * Math.sin(angle)).toFixed(1)}`;
  };
  return (
    <>
      <path class="a" d="M24 40h52v40a4 4 0 0 1-4 4H28a4 4 0 0 1-4-4z" />
      <path class="b" d="M30 28h40l6 12H24z" />
      <path class="c" d={`M${Array.from({ length: sides }, (_, index) => corner(index)).join('L')}z`} />
    </>
  );
}

function hash(text: string): number {
  return [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7);
}
