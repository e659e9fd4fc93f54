// GraphiQL stops a subscription when another tab is opened. This starts it again on coming back, because
// otherwise the tab would show old numbers as if they were the newest. Shows nothing itself.
import { useEffect, useRef } from 'react';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';

export function Resume() {
  const { run } = useGraphiQLActions();
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const isSubscribed = useGraphiQL((state) => Boolean(state.subscription));
  const before = useRef({ tabId, isSubscribed });
  const paused = useRef(new Set());

  useEffect(() => {
    const last = before.current;
    before.current = { tabId, isSubscribed };
    if (last.tabId === tabId) return;
    if (last.isSubscribed) paused.current.add(last.tabId);
    if (paused.current.delete(tabId)) run();
  }, [tabId, isSubscribed, run]);

  return null;
}
