// The crossings of availability as they are seen.
import { Panel } from '../panel.jsx';
import { availabilityWord, clock } from '../words.js';
import { crossings } from './crossings.js';

export function Crossings() {
  const all = crossings.value;
  return (
    <Panel id="crossings" title="Sold out, low, back in stock">
      {all.length === 0 && <p class="quiet">Nothing has crossed a line since this page was opened.</p>}
      <ul class="facts">
        {all.map(({ product, from, to, version, at }) => (
          <li key={`${product.id} ${version}`} data-crossing={product.id}>
            <span class="quiet">{clock(at)}</span> <bdi>{product.name}</bdi>: {from && availabilityWord(from)}{' '}
            <span aria-label="to">→</span> <strong class={`crossing ${to.toLowerCase()}`}>{availabilityWord(to)}</strong>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
