// Brings the tab that is open into view, as when the address asks for one of the last on a narrow screen, and the beginning
// of its operation, wherever the one before was scrolled to. Shows nothing itself.
import { useEffect } from 'react';
import { useGraphiQL } from '@graphiql/react';

export function OpenTab() {
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const editor = useGraphiQL((state) => state.queryEditor);

  useEffect(() => {
    document.querySelector('[role="tab"][aria-selected="true"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    editor?.setScrollTop(0);
  }, [tabId, editor]);

  return null;
}
