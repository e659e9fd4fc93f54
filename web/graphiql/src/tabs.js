// Decides which tabs the page opens with: those of the last visit, with the examples that are new or newer.
import { withoutCarried } from './carried-ids.js';

/**
 * @param stored the tabs of the last visit as GraphiQL keeps them; anything else counts as none
 * @param delivered the examples as that visit got them, by id
 * @param examples the examples of today
 * @param carried the ids that were put into variables, see carried-ids.js
 * @param wanted the name of the tab to open, if the address says one
 * @returns `{ tabs, activeTabIndex }`, in GraphiQL's form
 */
export function openingTabs({ stored, delivered, examples, carried, wanted }) {
  const old = tabsOf(stored);
  const active = stored?.tabs?.[stored.activeTabIndex]?.id;
  const untouched = (tab) =>
    tab.query === delivered[tab.id]?.query &&
    withoutCarried(tab.variables ?? '', carried) === delivered[tab.id].variables;

  const byId = new Map(examples.map((example) => [example.id, example]));
  const tabs = old
    // An example that is no more goes, unless somebody has made it their own.
    .filter((tab) => byId.has(tab.id) || !untouched(tab))
    .map((tab) => (byId.has(tab.id) && untouched(tab) ? exampleTab(byId.get(tab.id)) : tab));

  for (const [index, example] of examples.entries()) {
    const isOpen = tabs.some((tab) => tab.id === example.id);
    // One that was delivered and is not open was closed, and stays closed until it is asked for.
    const isClosed = delivered[example.id] && old.length > 0;
    if (isOpen || (isClosed && !isNamed(example.name, wanted))) continue;
    const before = tabs.findIndex((tab) => tab.id === examples[index - 1]?.id);
    tabs.splice(before >= 0 || index === 0 ? before + 1 : tabs.length, 0, exampleTab(example));
  }

  // All that was open is no more: begin again.
  if (tabs.length === 0) return openingTabs({ stored: null, delivered: {}, examples, carried, wanted });

  const asked = tabs.findIndex((tab) => isNamed(tab.title, wanted));
  const last = tabs.findIndex((tab) => tab.id === active);
  return { tabs, activeTabIndex: asked >= 0 ? asked : Math.max(last, 0) };
}

function tabsOf(stored) {
  if (!Array.isArray(stored?.tabs)) return [];
  return stored.tabs
    .filter((tab) => typeof tab?.id === 'string' && (tab.query === null || typeof tab.query === 'string'))
    .map(({ id, title, query, variables, operationName }) =>
      tabOf({
        id,
        query,
        title: typeof title === 'string' ? title : 'Untitled',
        variables: typeof variables === 'string' ? variables : null,
        operationName: typeof operationName === 'string' ? operationName : null,
      }),
    );
}

function exampleTab({ id, name, query, variables }) {
  return tabOf({ id, title: name, query, variables, operationName: name });
}

function tabOf(tab) {
  return { ...tab, headers: null, response: null };
}

/** Whether somebody who wrote `wanted` in the address means the tab `name`: "check-out" is CheckOut. */
function isNamed(name, wanted) {
  const plain = (text) => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  return Boolean(wanted) && plain(name) === plain(wanted);
}
