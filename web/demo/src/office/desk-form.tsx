// The small forms of the desk: how many of each item of an order, as number fields.
import { signal, type Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { ItemQuantities } from '../api/documents.js';
import type { WholeItem } from '../api/desk-types.js';
import { count, name } from '../words.js';

type ById = ReadonlyMap<string, number>;

/** Quantities by item, at first what `first` says of each of them. */
export function useQuantities(first: (item: WholeItem) => number, items: readonly WholeItem[] = []): Signal<ById> {
  return useMemo(() => signal<ById>(new Map(items.map((item) => [item.id, first(item)]))), []);
}

/** What the API takes: only items that there are some of. */
export function quantitiesOf(byId: ById): ItemQuantities {
  return [...byId].flatMap(([orderItemId, quantity]) => (quantity > 0 ? { orderItemId, quantity } : []));
}

interface What {
  readonly title: string;
  /** What is done with an item, before its name. */
  readonly verb: string;
  readonly items: readonly WholeItem[];
  readonly mostOf: (item: WholeItem) => number;
  readonly quantities: Signal<ById>;
}

export function Quantities({ title, verb, items, mostOf, quantities }: What) {
  const set = (id: string, quantity: number) =>
    (quantities.value = new Map([...quantities.peek(), [id, Number.isNaN(quantity) ? 0 : quantity]]));
  return (
    <fieldset class="quantities">
      <legend>{title}</legend>
      {items.map((item) => (
        <label key={item.id}>
          <input
            type="number"
            min={0}
            max={mostOf(item)}
            required
            aria-label={`${verb}: ${name(item.name)}`}
            value={quantities.value.get(item.id) ?? 0}
            onInput={({ currentTarget }) => set(item.id, currentTarget.valueAsNumber)}
          />
          <span>
            of {count(mostOf(item))} × <bdi>{name(item.name)}</bdi>
          </span>
        </label>
      ))}
    </fieldset>
  );
}

/** A form at the desk. Its first field has the focus: the button that opened it is gone. */
export function DeskForm({ onSubmit, children }: { onSubmit: () => void; children: ComponentChildren }) {
  const whole = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => whole.current?.querySelector('input')?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form ref={whole} class="desk-form" onSubmit={submit}>
      {children}
    </form>
  );
}
