// Brings the tab that is open into view, as when the address asks for one of the last on a narrow screen. Shows nothing
// itself.
import { useEffect } from 'react';
import { useGraphiQL } from '@graphiql/react';

export function OpenTab() {
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);

  useEffect(() => {
    document.querySelector('[role="tab"][aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [tabId]);

  return null;
}
