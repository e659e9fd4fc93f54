// The page: the live strip, and below it GraphiQL with the examples.
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { whatIsMissing } from './carried-ids.js';
import { carriedIds, carryFrom } from './carried-store.js';
import { Carry } from './carry.jsx';
import { EditorMissing } from './editor-missing.jsx';
import { EXAMPLES } from './examples.js';
import { createFetcher } from './fetcher.js';
import { LiveStock } from './live-stock.jsx';
import { OpenTab } from './open-tab.jsx';
import { Resume } from './resume.jsx';
import { SameHeaders } from './same-headers.jsx';
import { recall, remember, storage } from './storage.js';
import { openingTabs } from './tabs.js';

/** Where GraphiQL keeps its tabs. */
const TABS_KEY = 'graphiql:tabState';
const DELIVERED_KEY = 'examples';

const fetcher = createFetcher({
  onAnswer: carryFrom,
  missing: (variables) => whatIsMissing(variables, carriedIds()),
});
const plugins = [HISTORY_PLUGIN, explorerPlugin()];
const opening = prepareTabs();

export function Page() {
  return (
    <>
      <LiveStock />
      <EditorMissing />
      <div className="graphiql">
        <GraphiQL
          fetcher={fetcher}
          plugins={plugins}
          storage={storage}
          initialQuery={opening.query ?? ''}
          initialVariables={opening.variables ?? ''}
          defaultEditorToolsVisibility="variables"
          shouldPersistHeaders={false}
        >
          <GraphiQL.Logo>Onhand</GraphiQL.Logo>
          <Carry />
          {/* Before Resume, which runs again what the tab had under way. */}
          <SameHeaders />
          <Resume />
          <OpenTab />
        </GraphiQL>
      </div>
    </>
  );
}

/** Stores the tabs to open where GraphiQL looks for them, and returns the one that is open. */
function prepareTabs() {
  const state = openingTabs({
    stored: recall(TABS_KEY, null),
    delivered: recall(DELIVERED_KEY, {}),
    examples: EXAMPLES,
    carried: carriedIds(),
    wanted: new URLSearchParams(location.search).get('tab'),
  });
  remember(TABS_KEY, state);
  remember(DELIVERED_KEY, Object.fromEntries(EXAMPLES.map(({ id, query, variables }) => [id, { query, variables }])));
  return state.tabs[state.activeTabIndex];
}
