// Puts carried ids into the variables of the example that is open. Shows nothing itself.
import { useEffect, useSyncExternalStore } from 'react';
import { useGraphiQL } from '@graphiql/react';
import { withCarried } from './carried-ids.js';
import { carriedIds, onCarried } from './carried-store.js';
import { EXAMPLES } from './examples.js';

const EXAMPLE_IDS = new Set(EXAMPLES.map(({ id }) => id));

export function Carry() {
  const carried = useSyncExternalStore(onCarried, carriedIds);
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const editor = useGraphiQL((state) => state.variableEditor);

  // Only the open tab is changed, when it is opened or an id comes: GraphiQL has no way to change another.
  useEffect(() => {
    if (!editor || !EXAMPLE_IDS.has(tabId)) return;
    const before = editor.getValue();
    const after = withCarried(before, carried);
    if (after !== before) editor.setValue(after);
  }, [carried, tabId, editor]);

  return null;
}
